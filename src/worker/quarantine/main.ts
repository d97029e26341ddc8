/**
 * The quarantine program, forked by a worker for one job. Not for people.
 */
import { errorMessage } from '#shared/base/errors.ts';
import { Events } from '#shared/observe/events.ts';
import { loadApp } from '#shared/program/load-app.ts';
import { Abort } from '../abort.ts';
import { createLineSender } from './handler-lines.ts';
import { endWithParent } from './parent-watch.ts';
import type { Instruction, PerformInstruction } from './quarantine.ts';
import type { Envelope, Report } from './reports.ts';
import { serveQuarantine } from './serve.ts';

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
const report = (message: Report) =>
  new Promise<void>((resolve) => {
    if (process.connected) process.send?.({ warren: message } satisfies Envelope, () => resolve());
    else resolve();
  });
const events = new Events();
const lines = createLineSender(report);
events.subscribe('handler.logged', lines.send);
await serveQuarantine({ app: await loadApp(instruction.module), instruction, abort, events, report });
await lines.tellOfDropped();
process.exit(0); // a handler that was given up would go on
