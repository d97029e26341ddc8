// A worker program that its own jobs take down. Standard output is JSON lines: `ready`.
import { Events } from '../../src/shared/observe/events.ts';
import { readConfig } from '../../src/shared/settings/config.ts';
import { Worker } from '../../src/worker/worker.ts';
import { app } from './poison-jobs.ts';

const worker = new Worker({
  config: readConfig('worker', app),
  name: `poison-worker@test:${process.pid}`,
  app,
  events: new Events(),
});
await worker.start(new AbortController().signal);
process.stdout.write(`${JSON.stringify({ msg: 'ready' })}\n`);
