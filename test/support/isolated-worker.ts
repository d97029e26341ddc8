// A worker program with isolated job types, to be killed. Standard output is JSON lines: `ready`, then what its handlers say.
import { Events } from '../../src/shared/observe/events.ts';
import { readConfig } from '../../src/shared/settings/config.ts';
import { Worker } from '../../src/worker/worker.ts';
import { app } from './isolated-jobs.ts';

const write = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);
const events = new Events();
events.subscribe('handler.logged', ({ message, details }) => write({ msg: message, ...details }));
const name = `isolated-worker@test:${process.pid}`;
const worker = new Worker({ config: readConfig('worker', app), name, app, events });
await worker.start(new AbortController().signal);
write({ msg: 'ready' });
