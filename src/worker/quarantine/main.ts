/**
 * The quarantine program, forked by a worker for one job. Not for people.
 */
import { definitions } from '#jobs/registry.ts';
import type { Instruction } from './quarantine.ts';
import { serveQuarantine } from './serve.ts';

process.on('disconnect', () => process.exit(1)); // its worker has died, and the job is another's now
await serveQuarantine(definitions, {
  onInstruction: (listener) => process.on('message', (message) => listener(message as Instruction)),
  report: (ending) => new Promise((resolve) => process.send?.(ending, () => resolve())),
});
process.exit(0); // a handler that was given up would go on
