/**
 * The quarantine program, forked by a worker for one job. Not for people.
 */
import { errorMessage } from '#shared/base/errors.ts';
import { Events } from '#shared/observe/events.ts';
import { createLogger, logHandlers } from '#shared/observe/log.ts';
import { LogOutput } from '#shared/observe/log-output.ts';
import { loadApp } from '#shared/program/load-app.ts';
import { Abort } from '../abort.ts';
import { endWithParent } from './parent-watch.ts';
import type { Instruction, PerformInstruction } from './quarantine.ts';
import { serveQuarantine } from './serve.ts';

/** What the last lines of the log may take, in milliseconds. */
const FLUSH_MS = 1_000;

endWithParent(); // the job is another worker's then
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {}); // its worker says when to stop
process.on('disconnect', () => process.exit(1));
process.on('unhandledRejection', (reason) => {
  process.stderr.write(`a promise was rejected and nothing handled it: ${errorMessage(reason)}\n`); // as in a worker
});
const abort = new Abort();
const told = Promise.withResolvers<PerformInstruction>();
process.on('message', (message) => {
  const instruction = message as Instruction;
  if (instruction.kind === 'perform') told.resolve(instruction);
  else abort.abort(instruction.reason);
});
const instruction = await told.promise;
const events = new Events();
const output = new LogOutput(process.stdout, events);
logHandlers(events, createLogger({ name: 'quarantine', level: instruction.logLevel, output }));
await serveQuarantine({
  app: await loadApp(instruction.module),
  instruction,
  abort,
  events,
  report: (report) => new Promise((resolve) => process.send?.(report, () => resolve())),
});
await output.flushed(FLUSH_MS);
process.exit(0); // a handler that was given up would go on
