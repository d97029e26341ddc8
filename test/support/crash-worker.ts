// A worker program that tests kill: its only job type, `test-job`, says that it has started and then never ends, unless it `ends`.
// Standard output is JSON lines: `ready`, then `started` with the job's id and attempt.

import { z } from 'zod';
import { defineJob } from '../../src/jobs/define.ts';
import type { JobDefinition } from '../../src/shared/job/job.ts';
import { Events } from '../../src/shared/observe/events.ts';
import { readConfig } from '../../src/shared/settings/config.ts';
import { Worker } from '../../src/worker/worker.ts';
import { testApp } from './test-app.ts';

const endless = defineJob({
  type: 'test-job',
  args: z.record(z.string(), z.unknown()),
  perform: async ({ ends }, { jobId, attempt }) => {
    say({ msg: 'started', jobId, attempt });
    if (ends !== true) await new Promise(() => {});
  },
});

const app = testApp([endless as JobDefinition]);
const worker = new Worker({
  config: readConfig('worker', app),
  name: `crash-worker@test:${process.pid}`,
  app,
  events: new Events(),
});
await worker.start(new AbortController().signal);
say({ msg: 'ready' });

function say(line: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
