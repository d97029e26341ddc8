/**
 * Where an error came from: its stack and its causes, bounded, for the history of a job and the log.
 *
 * Guarantees: never throws, whatever was thrown; at most `MAX_ORIGIN_BYTES` in all, a cut is marked; at most `MAX_CAUSES` causes, each once, so that a circle
 * ends; only characters that Postgres and a terminal can take.
 */
import { errorMessage } from './errors.ts';

export interface ErrorCause {
  message: string;
  stack?: string;
}

export interface ErrorOrigin {
  /** The frames alone: the message stands beside it. */
  stack?: string;
  /** What the error names as its cause, that one's cause and so on; the errors of an `AggregateError` too. Nearest first. */
  causes?: ErrorCause[];
}

/** With a message of `errorMessage`, which is at most 4 000 characters long, an error has about 8 KB. */
export const MAX_ORIGIN_BYTES = 4_096;
const MAX_STACK_BYTES = 2_048;
const MAX_CAUSES = 8;
const MAX_CAUSE_CHARACTERS = 500;
const CUT = '\n… [cut]';
const FRAMES = /^[ \t]+at /m;
/** All but the line feeds and tabs that stacks are made of. */
const CONTROL_CHARACTERS = /[^\P{Cc}\n\t]/gu;

/** Undefined where nothing is known: a string was thrown, say. */
export function errorOrigin(thrown: unknown): ErrorOrigin | undefined {
  if (!isError(thrown)) return undefined;
  const room = { bytes: MAX_ORIGIN_BYTES };
  const stack = readStack(thrown, room);
  const causes: ErrorCause[] = [];
  for (const cause of causesOf(thrown)) {
    const message = cutToFit(errorMessage(cause, MAX_CAUSE_CHARACTERS), room.bytes, room);
    if (message === undefined) break;
    const causeStack = readStack(cause, room);
    causes.push({ message, ...(causeStack === undefined ? {} : { stack: causeStack }) });
  }
  if (stack === undefined && causes.length === 0) return undefined;
  return { ...(stack === undefined ? {} : { stack }), ...(causes.length === 0 ? {} : { causes }) };
}

/** Breadth first, the error itself left out. */
function causesOf(thrown: unknown): unknown[] {
  const seen = new Set([thrown]);
  for (const each of seen) {
    for (const next of nextOf(each)) {
      if (seen.size <= MAX_CAUSES) seen.add(next);
    }
  }
  return [...seen].slice(1);
}

function nextOf(thrown: unknown): unknown[] {
  try {
    if (!isError(thrown)) return [];
    const { cause } = thrown;
    const errors = thrown instanceof AggregateError ? thrown.errors.slice(0, MAX_CAUSES) : [];
    return cause === undefined ? errors : [cause, ...errors];
  } catch {
    return []; // a getter that throws
  }
}

function isError(thrown: unknown): thrown is Error {
  try {
    return thrown instanceof Error;
  } catch {
    return false; // a proxy
  }
}

function readStack(thrown: unknown, room: { bytes: number }): string | undefined {
  try {
    const text = isError(thrown) ? thrown.stack : undefined;
    if (typeof text !== 'string') return undefined;
    const start = text.search(FRAMES);
    return start === -1 ? undefined : cutToFit(text.slice(start), MAX_STACK_BYTES, room);
  } catch {
    return undefined; // a getter that throws
  }
}

/** As much of the text as there is room for, in bytes of UTF-8. Undefined where there is hardly any. */
function cutToFit(text: string, maxBytes: number, room: { bytes: number }): string | undefined {
  const limit = Math.min(maxBytes, room.bytes);
  if (limit <= CUT.length * 2) return undefined;
  const clean = text.slice(0, limit).replaceAll(CONTROL_CHARACTERS, '\ufffd').toWellFormed();
  const bytes = new Uint8Array(limit);
  let { read, written } = new TextEncoder().encodeInto(clean, bytes);
  if (read === clean.length && clean.length === text.length) {
    room.bytes -= written;
    return clean;
  }
  ({ read, written } = new TextEncoder().encodeInto(
    clean,
    bytes.subarray(0, limit - Buffer.byteLength(CUT)),
  ));
  room.bytes -= written + Buffer.byteLength(CUT);
  return `${clean.slice(0, read)}${CUT}`;
}
