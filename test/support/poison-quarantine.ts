// The quarantine program with the job types of the poison test.
import type { Instruction } from '../../src/worker/quarantine/quarantine.ts';
import { serveQuarantine } from '../../src/worker/quarantine/serve.ts';
import { poisonJobs } from './poison-jobs.ts';

process.on('disconnect', () => process.exit(1));
await serveQuarantine(poisonJobs, {
  onInstruction: (listener) => process.on('message', (message) => listener(message as Instruction)),
  report: (report) => new Promise((resolve) => process.send?.(report, () => resolve())),
});
process.exit(0);
