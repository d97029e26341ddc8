/**
 * What runs in an isolate, a thread or a process that a worker has started for its handlers. Not for people.
 */
import { getPriority, setPriority } from 'node:os';
import { isMainThread, parentPort } from 'node:worker_threads';
import { errorMessage } from '#shared/base/errors.ts';
import { markIsolate } from './inside.ts';
import type { Instruction, Report } from './messages.ts';
import { readInstruction, seal } from './messages.ts';
import { watchProcess } from './process-watch.ts';
import { Isolated } from './serve.ts';

const LAST_PRIORITY = 19;

markIsolate();
process.on('unhandledRejection', (reason) => {
  process.stderr.write(`a promise was rejected and nothing handled it: ${errorMessage(reason)}\n`); // as in a worker
});
const send = isMainThread ? sendByProcess : createSendByThread();
let niceness = 0;
const report = (told: Report) => {
  if (told.kind === 'ready') standBack(); // not sooner: its start has a deadline
  return send(told);
};
const isolated = new Isolated(report, () => process.exit(0));
const take = (instruction: Instruction | undefined) => {
  if (instruction?.kind === 'start') {
    niceness = instruction.niceness ?? 0;
    if (isMainThread) watchProcess(instruction.memoryMb);
  }
  if (instruction !== undefined) isolated.take(instruction);
};
if (isMainThread) {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {}); // its worker says when to stop
  process.on('disconnect', () => process.exit(1));
  process.on('message', (message) => take(readInstruction(message)));
} else parentPort?.on('message', (message) => take(readInstruction(message)));

/** Linux gives each thread a priority of its own; elsewhere a thread would speak for its whole worker. */
function standBack(): void {
  if (niceness === 0 || !(isMainThread || process.platform === 'linux')) return;
  try {
    setPriority(0, Math.min(LAST_PRIORITY, getPriority() + niceness));
  } catch {
    // The system has no such thing: it runs as every other then.
  }
}

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
