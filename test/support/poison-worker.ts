// A worker program that its own jobs take down. Standard output is JSON lines: `ready`.
import { readConfig } from '../../src/shared/settings/config.ts';
import { Worker } from '../../src/worker/worker.ts';
import { poisonJobs } from './poison-jobs.ts';
import { testApp } from './test-app.ts';

const app = testApp(poisonJobs.values());
const worker = new Worker({
  config: readConfig('worker', app),
  name: `poison-worker@test:${process.pid}`,
  app,
  quarantineProgram: new URL('./poison-quarantine.ts', import.meta.url),
});
await worker.start(new AbortController().signal);
process.stdout.write(`${JSON.stringify({ msg: 'ready' })}\n`);
