// A worker program that its own jobs take down. Standard output is JSON lines: `ready`.
import { readConfig } from '../../src/shared/config.ts';
import { Worker } from '../../src/worker/worker.ts';
import { poisonJobs } from './poison-jobs.ts';

const worker = new Worker({
  config: readConfig('worker'),
  name: `poison-worker@test:${process.pid}`,
  definitions: poisonJobs,
  quarantineProgram: new URL('./poison-quarantine.ts', import.meta.url),
});
await worker.start(new AbortController().signal);
process.stdout.write(`${JSON.stringify({ msg: 'ready' })}\n`);
