/**
 * The quarantine program, forked by a worker for one job. Not for people.
 */
import { definitions } from '#jobs/registry.ts';
import { errorMessage } from '#shared/base/errors.ts';
import { endWithParent } from './parent-watch.ts';
import type { Instruction } from './quarantine.ts';
import { serveQuarantine } from './serve.ts';

endWithParent(); // the job is another worker's then
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {}); // its worker says when to stop
process.on('disconnect', () => process.exit(1));
process.on('unhandledRejection', (reason) => {
  process.stderr.write(`a promise was rejected and nothing handled it: ${errorMessage(reason)}\n`); // as in a worker
});
await serveQuarantine(definitions, {
  onInstruction: (listener) => process.on('message', (message) => listener(message as Instruction)),
  report: (report) => new Promise((resolve) => process.send?.(report, () => resolve())),
});
process.exit(0); // a handler that was given up would go on
