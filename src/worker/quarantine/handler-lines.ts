/**
 * What a quarantined handler says by `context.log`, on its way to the worker: an event of its instance there, as if the handler ran in it.
 *
 * Guarantees: `send` neither waits nor throws; lines are dropped while `MAX_WAITING_BYTES` wait for the worker.
 */
import { inspect } from 'node:util';
import type { EventMessages } from '#shared/observe/events.ts';

type HandlerLine = EventMessages['handler.logged'];

const MAX_WAITING_BYTES = 1_048_576;

/** `send` hands a text over, and resolves when it is gone. */
export function createLineSender(send: (text: string) => Promise<void>): (line: HandlerLine) => void {
  let waitingBytes = 0;
  return (line) => {
    const text = encode(line);
    const bytes = Buffer.byteLength(text);
    if (waitingBytes + bytes > MAX_WAITING_BYTES) return;
    waitingBytes += bytes;
    void send(text).then(() => {
      waitingBytes -= bytes;
    });
  };
}

/** A line as `send` was given it. */
export function readLine(text: string): HandlerLine {
  return JSON.parse(text);
}

function encode(line: HandlerLine): string {
  try {
    return JSON.stringify(line);
  } catch {
    return JSON.stringify({ ...line, details: { text: inspect(line.details) } }); // a circle, say
  }
}
