// The application of docs/incident.md's examples: its job types break as long as a file of that name is in the folder that INCIDENT_FOLDER names. Workers,
// quarantined processes and the test see the same files.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { actOnJobs } from '../../../src/jobs/act-on-jobs.ts';
import { defineJob } from '../../../src/jobs/define.ts';
import { defineApp } from '../../../src/shared/job/app.ts';
import type { JobDefinition } from '../../../src/shared/job/job.ts';

export type Fault = 'bank-away' | 'bank-slow' | 'account-stuck' | 'picture-breaks';

const isBroken = (fault: Fault) => existsSync(join(process.env['INCIDENT_FOLDER'] ?? '', fault));
const args = z.record(z.string(), z.unknown());

/** Goes on when the fault is mended, or ends by its signal. */
async function waitWhile(fault: Fault, signal: AbortSignal): Promise<void> {
  while (isBroken(fault)) await delay(50, undefined, { signal });
}

const jobs = [
  defineJob({ type: 'send-mail', args, perform: async () => {} }),
  defineJob({
    type: 'charge-card',
    args,
    backoffMs: () => 3_600_000,
    perform: async () => {
      if (isBroken('bank-away')) throw new Error('the bank answers 503');
    },
  }),
  defineJob({
    type: 'pay-out',
    args,
    limits: () => ['stripe'],
    perform: async (_args, { signal }) => await waitWhile('bank-slow', signal),
  }),
  defineJob({
    type: 'resize-picture',
    args,
    perform: async () => {
      if (isBroken('picture-breaks')) process.exit(66);
    },
  }),
  defineJob({
    type: 'sync-account',
    args,
    perform: async (_args, { signal }) => await waitWhile('account-stuck', signal),
  }),
  defineJob({
    type: 'import-row',
    args,
    perform: async (_args, { signal }) => await delay(200, undefined, { signal }),
  }),
  { ...actOnJobs, queue: 'acts' },
];

export const app = defineApp({
  name: 'night',
  queues: {
    default: { channels: 2, prefetch: 2 },
    mail: { channels: 1, prefetch: 2 },
    acts: { channels: 1, prefetch: 2 },
  },
  limits: { stripe: { concurrency: 1 } },
  jobs: jobs as JobDefinition[],
  module: import.meta.url,
});
