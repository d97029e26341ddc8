/**
 * What an isolated handler says by `context.log` and `context.progress`, on its way to the worker: an event of its instance there, as if the handler ran in it.
 *
 * Guarantees: a handler never waits for its line to be sent; lines are dropped while `MAX_WAITING_BYTES` wait for the worker, which is told how
 * many when it has taken those, and once more at the end.
 */
import { inspect } from 'node:util';
import type { EventMessages } from '#shared/observe/events.ts';
import type { Report } from './messages.ts';

type HandlerLine = EventMessages['handler.logged'];

const MAX_WAITING_BYTES = 1_048_576;

export interface LineSender {
  send: (line: HandlerLine) => void;
  /** Resolves when the worker has been told of all lines that were dropped. */
  tellOfDropped: () => Promise<void>;
}

/** `report` hands a report over, and resolves when it is gone. */
export function createLineSender(report: (report: Report) => Promise<void>): LineSender {
  let waitingBytes = 0;
  let dropped = 0;
  let told = Promise.resolve();

  const tellOfDropped = (): Promise<void> => {
    const lines = dropped;
    dropped = 0;
    if (lines > 0) told = report({ kind: 'dropped', lines });
    return told;
  };

  const send = (line: HandlerLine): void => {
    const text = encode(line);
    const bytes = Buffer.byteLength(text);
    if (waitingBytes + bytes > MAX_WAITING_BYTES) {
      dropped += 1;
      return;
    }
    waitingBytes += bytes;
    void report({ kind: 'logged', line: text }).then(() => {
      waitingBytes -= bytes;
      if (waitingBytes === 0) void tellOfDropped();
    });
  };

  return { send, tellOfDropped };
}

/** A line as it was sent. */
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

type Progress = EventMessages['handler.progressed'];

export interface ProgressSender {
  send: (progress: Progress) => void;
  /** Resolves when the worker has been told of the latest. */
  sent: () => Promise<void>;
}

/** The worker hears of the latest progress, and of no other while that is under way. */
export function createProgressSender(report: (report: Report) => Promise<void>): ProgressSender {
  let latest: Progress | undefined;
  let sending: Promise<void> | undefined;
  const sendLatest = async () => {
    while (latest !== undefined) {
      const progress = latest;
      latest = undefined;
      await report({ kind: 'progressed', progress });
    }
    sending = undefined;
  };
  return {
    send: (progress) => {
      latest = progress;
      sending ??= sendLatest();
    },
    sent: async () => await sending,
  };
}
