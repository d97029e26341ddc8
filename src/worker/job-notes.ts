/**
 * Keeps what the handlers of this worker say: lines of their log, and how far they have come. Written in groups, some times a second.
 *
 * Guarantees: a handler never waits for it; a job that says nothing costs nothing; what was said is stored before the end of its attempt is, where
 * Postgres answers in time; what one attempt may have stored is bounded (`MAX_LOG_LINES`, `MAX_LOG_BYTES`), and so is what waits. A failed write is
 * repeated, and fails no job.
 */
import { inspect } from 'node:util';
import { resolvedWithin, sleep } from '#shared/base/backoff.ts';
import { MAX_LOG_BYTES, MAX_LOG_LINES, MAX_LOG_MESSAGE } from '#shared/job/job-note.ts';
import type { EventMessages, Events } from '#shared/observe/events.ts';
import type { Database } from '#shared/postgres/database.ts';
import { isRowError } from '#shared/postgres/failures.ts';
import type { LogNote, ProgressNote } from '#shared/postgres/statements/job-notes.ts';
import { recordNotes } from '#shared/postgres/statements/job-notes.ts';

/** Between two writes, in milliseconds. */
const BETWEEN_WRITES_MS = 250;
/** What the end of an attempt waits for what was said in it, in milliseconds. */
const LAST_WORDS_MS = 5_000;
/** Of one write, and of all that waits while Postgres is away. */
const MAX_WRITE_BYTES = 1_048_576;
const MAX_WAITING_BYTES = 4_194_304;
/** What a note takes beside its text. */
const NOTE_BYTES = 100;
const CUT_SHORT = 'the log of this attempt is cut here: the rest stands in the log of the worker alone';

/** An attempt that has said something. */
interface Speaker {
  attempt: number;
  lines: number;
  bytes: number;
  /** How many of its notes are not stored yet, and who waits for that. */
  waiting: number;
  stored: PromiseWithResolvers<void>;
}

type Said<Note> = Omit<Note, 'ageMs'> & { saidAt: number; speaker: Speaker };

export interface JobNotesOptions {
  database: Database;
  events: Events;
  /** Whether the job runs in this worker: others of the same instance have the same events. */
  runs: (jobId: string) => boolean;
}

export class JobNotes {
  readonly #options: JobNotesOptions;
  readonly #speakers = new Map<string, Speaker>();
  #lines: Said<LogNote>[] = [];
  #lineBytes = 0;
  readonly #progress = new Map<string, Said<ProgressNote>>();
  readonly #unsubscribe: (() => void)[];
  /** Until nothing waits. */
  #writing: Promise<void> | undefined;
  #writeNow = new AbortController();
  #isStopping = false;

  constructor(options: JobNotesOptions) {
    this.#options = options;
    const { events, runs } = options;
    this.#unsubscribe = [
      events.subscribe('handler.logged', (line) => {
        if (runs(line.jobId)) this.#addLine(line);
      }),
      events.subscribe('handler.progressed', ({ jobId, attempt, share, text }) => {
        if (runs(jobId)) this.#addProgress({ jobId, attempt, share, text: text && storable(text) });
      }),
    ];
  }

  /** For the end of an attempt: resolves when what it has said is stored, or could not be in time. Undefined where it has said nothing. */
  lastWords(jobId: string): Promise<unknown> | undefined {
    const speaker = this.#speakers.get(jobId);
    if (speaker === undefined) return undefined;
    this.#speakers.delete(jobId);
    if (speaker.waiting === 0) return undefined;
    this.#writeNow.abort();
    return resolvedWithin(speaker.stored.promise, LAST_WORDS_MS);
  }

  /** Writes what waits still, where Postgres answers. */
  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#isStopping = true;
    this.#writeNow.abort();
    await this.#writing;
  }

  #addLine({ jobId, attempt, level, ...said }: EventMessages['handler.logged']): void {
    const speaker = this.#speakerOf(jobId, attempt);
    if (speaker.lines > MAX_LOG_LINES) return; // it was told that it is cut
    let message = storable(toMessage(said));
    const bytes = Buffer.byteLength(message) + NOTE_BYTES;
    speaker.lines += 1;
    speaker.bytes += bytes;
    const isFull = this.#lineBytes + bytes > MAX_WAITING_BYTES;
    if (speaker.lines > MAX_LOG_LINES || speaker.bytes > MAX_LOG_BYTES || isFull) {
      speaker.lines = MAX_LOG_LINES + 1;
      message = CUT_SHORT;
    }
    this.#lineBytes += Buffer.byteLength(message) + NOTE_BYTES;
    speaker.waiting += 1;
    this.#lines.push({ jobId, attempt, level, message, saidAt: performance.now(), speaker });
    this.#writing ??= this.#write();
  }

  #addProgress(progress: Omit<ProgressNote, 'ageMs'>): void {
    const speaker = this.#speakerOf(progress.jobId, progress.attempt);
    const isFirst = this.#progress.get(progress.jobId)?.speaker !== speaker;
    if (isFirst) speaker.waiting += 1;
    this.#progress.set(progress.jobId, { ...progress, saidAt: performance.now(), speaker });
    this.#writing ??= this.#write();
  }

  #speakerOf(jobId: string, attempt: number): Speaker {
    const known = this.#speakers.get(jobId);
    if (known?.attempt === attempt) return known;
    const speaker = { attempt, lines: 0, bytes: 0, waiting: 0, stored: Promise.withResolvers<void>() };
    this.#speakers.set(jobId, speaker);
    return speaker;
  }

  async #write(): Promise<void> {
    for (let retry = 0; this.#lines.length > 0 || this.#progress.size > 0; ) {
      await sleep(BETWEEN_WRITES_MS, retry === 0 ? this.#writeNow.signal : undefined);
      this.#writeNow = new AbortController();
      const isWritten = await this.#writeGroup(retry + 1);
      retry = isWritten ? 0 : retry + 1;
      if (!isWritten && this.#isStopping) break;
    }
    this.#writing = undefined;
    for (const jobId of this.#speakers.keys()) // its attempt has ended otherwise
      if (!this.#options.runs(jobId)) this.#speakers.delete(jobId);
  }

  /** Resolves with whether it is done with. */
  async #writeGroup(retry: number): Promise<boolean> {
    const { database, events } = this.#options;
    const lines = this.#takeLines();
    const progress = [...this.#progress.values()];
    this.#progress.clear();
    try {
      const given = { lines: lines.map(withAge), progress: progress.map(withAge) };
      await database.query((sql) => recordNotes(sql, given));
      settle([...lines, ...progress]);
      return true;
    } catch (error) {
      events.publish('write.retried', { what: 'notes', retry, error });
      if (isRowError(error)) {
        settle([...lines, ...progress]); // Postgres would refuse them again
        return true;
      }
      this.#lines = [...lines, ...this.#lines];
      this.#lineBytes += sizeOf(lines);
      for (const each of progress) {
        if (this.#progress.has(each.jobId)) settle([each]);
        else this.#progress.set(each.jobId, each);
      }
      return false;
    }
  }

  #takeLines(): Said<LogNote>[] {
    let bytes = 0;
    const end = this.#lines.findIndex((line) => {
      bytes += sizeOf([line]);
      return bytes > MAX_WRITE_BYTES;
    });
    const taken = this.#lines.splice(0, end === -1 ? this.#lines.length : Math.max(1, end));
    this.#lineBytes -= sizeOf(taken);
    return taken;
  }
}

function withAge<Note extends { saidAt: number; speaker: Speaker }>({ saidAt, speaker: _, ...note }: Note) {
  return { ...note, ageMs: performance.now() - saidAt };
}

/** These are stored, or never will be. */
function settle(notes: readonly { speaker: Speaker }[]): void {
  for (const { speaker } of notes) {
    speaker.waiting -= 1;
    if (speaker.waiting > 0) continue;
    speaker.stored.resolve();
    speaker.stored = Promise.withResolvers();
  }
}

function sizeOf(lines: readonly { message: string }[]): number {
  return lines.reduce((bytes, { message }) => bytes + Buffer.byteLength(message) + NOTE_BYTES, 0);
}

/** One text, with what the handler has given beside it. */
function toMessage({
  message,
  details,
  error,
}: Pick<EventMessages['handler.logged'], 'message' | 'details' | 'error'>): string {
  if (error !== undefined) return `${message}: ${error}`;
  return details === undefined ? String(message) : `${message} ${write(details)}`;
}

function write(details: object): string {
  try {
    return JSON.stringify(details);
  } catch {
    return inspect(details); // a circle, say
  }
}

/** As Postgres takes it. */
function storable(text: string): string {
  return text.slice(0, MAX_LOG_MESSAGE).replaceAll('\u0000', '\ufffd').toWellFormed();
}
