/**
 * What runs in an isolate, a thread or a process that a worker has started for its handlers. Not for people.
 */
import { isMainThread, parentPort } from 'node:worker_threads';
import { errorMessage } from '#shared/base/errors.ts';
import { markIsolate } from './inside.ts';
import type { Instruction, Report } from './messages.ts';
import { readInstruction, seal } from './messages.ts';
import { watchProcess } from './process-watch.ts';
import { Isolated } from './serve.ts';

markIsolate();
process.on('unhandledRejection', (reason) => {
  process.stderr.write(`a promise was rejected and nothing handled it: ${errorMessage(reason)}\n`); // as in a worker
});
const isolated = new Isolated(isMainThread ? sendByProcess : createSendByThread(), () => process.exit(0));
const take = (instruction: Instruction | undefined) => {
  if (isMainThread && instruction?.kind === 'start') watchProcess(instruction.memoryMb);
  if (instruction !== undefined) isolated.take(instruction);
};
if (isMainThread) {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {}); // its worker says when to stop
  process.on('disconnect', () => process.exit(1));
  process.on('message', (message) => take(readInstruction(message)));
} else parentPort?.on('message', (message) => take(readInstruction(message)));

/** Resolves when the report is gone. */
function sendByProcess(report: Report): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send?.(seal(report), () => resolve());
    else resolve();
  });
}

/** Resolves when the worker has taken the report. */
function createSendByThread(): (report: Report) => Promise<void> {
  const waiting: (() => void)[] = [];
  parentPort?.on('message', (message) => {
    if (readInstruction(message)?.kind === 'taken') waiting.shift()?.();
  });
  return (report) => {
    parentPort?.postMessage(seal(report));
    return new Promise((resolve) => waiting.push(resolve));
  };
}
