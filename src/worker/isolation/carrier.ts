/**
 * What carries an isolate: a thread or a process, started, talked to and ended in the same way.
 */
import type { Readable } from 'node:stream';
import type { Events } from '#shared/observe/events.ts';
import { LogOutput } from '#shared/observe/log-output.ts';
import type { Instruction, Report } from './messages.ts';

export interface Carrier {
  /** What its errors call it. */
  readonly what: 'thread' | 'process';
  /** Goes nowhere where it has ended: `gone` tells. */
  send(instruction: Instruction): void;
  /** Called with each report, in order. Set before the first `send`. */
  onReport: (report: Report) => void;
  /** Resolves when it has ended and all that it told was read: with how it ended. Never rejects. */
  readonly gone: Promise<string>;
  /** Ends it at once, whatever it does. */
  kill(): void;
}

export interface CarrierOptions {
  events: Events;
  /** Megabytes that it may take; undefined: as many as there are. */
  memoryMb?: number | undefined;
}

/** Beside each file that starts one, compiled or not. */
export function mainOf(url: string): URL {
  return new URL(`./main${url.slice(url.lastIndexOf('.'))}`, url);
}

/** Not inherited: an isolate that shares the worker's output would make it wait for the reader of that output. */
export function passOnOutput(
  { stdout, stderr }: { stdout: Readable | null; stderr: Readable | null },
  events: Events,
): void {
  for (const [from, to] of [
    [stdout, process.stdout],
    [stderr, process.stderr],
  ] as const) {
    const output = new LogOutput(to, events);
    from?.on('data', (chunk: Buffer) => output.write(chunk));
  }
}
