/**
 * One isolate, a thread or a process: gets ready once, then performs one attempt after the other.
 *
 * Guarantees: an attempt that does not stop at its signal, or is over its time, is ended together with its isolate; an isolate whose attempt was aborted,
 * or which says that it is spent, performs nothing else. Nothing here rejects.
 */
import { MAX_TIMER_MS, resolvedWithin } from '#shared/base/backoff.ts';
import type { Events } from '#shared/observe/events.ts';
import type { AbortReason } from '../abort.ts';
import type { Ending } from '../ending.ts';
import type { Carrier } from './carrier.ts';
import { readLine } from './handler-lines.ts';
import type { IsolateStart, PerformInstruction, Report } from './messages.ts';

/** Longer than a handler's own grace after its signal, in milliseconds. */
const KILL_AFTER_MS = 1_000;
/** What loading the application and making its services may take, in milliseconds: a minute is what services have. */
const START_MS = 90_000;
/** What a killed isolate may take to be gone, in milliseconds. */
const GONE_MS = 5_000;
/** What letting go of the services may take, in milliseconds. */
const CLOSE_MS = 5_000;

/** Why an isolate cannot be had. */
export interface Unready {
  message: string;
  /** Postgres is away. */
  isOutage: boolean;
}

/** How an attempt went here. */
export type Ran =
  | { kind: 'ended'; ending: Ending }
  /** Its isolate has ended before it: so. */
  | { kind: 'died'; how: string }
  /** Ended because it was over its time, or had not stopped at its signal. `isGone` false: native code in it goes on. */
  | { kind: 'killed'; isGone: boolean };

export interface RunOptions {
  signal: AbortSignal;
  timeoutMs: number;
  /** The handler starts. */
  started: () => void;
}

export class Isolate {
  readonly #carrier: Carrier;
  readonly #events: Events;
  readonly #ready = Promise.withResolvers<Unready | undefined>();
  readonly #starting: NodeJS.Timeout;
  /** Of the attempt that is performed now. Kept here: what waited for `gone` would be kept for as long as the isolate is. */
  #onReport: (report: Report) => void = () => {};
  #onGone: (how: string) => void = () => {};
  #isUsable = true;
  #isGone = false;

  constructor(carrier: Carrier, start: IsolateStart, events: Events) {
    this.#carrier = carrier;
    this.#events = events;
    this.#starting = setTimeout(() => {
      this.#unready(`it was not ready after ${START_MS} ms`);
      this.#kill();
    }, START_MS);
    carrier.onReport = (report) => this.#take(report);
    carrier.send({ kind: 'start', ...start });
    void carrier.gone.then((how) => {
      this.#isGone = true;
      this.#isUsable = false;
      this.#unready(how);
      this.#onGone(how);
    });
  }

  /** Resolves when attempts can be performed, or with the reason why they never can. */
  get ready(): Promise<Unready | undefined> {
    return this.#ready.promise;
  }

  /** False: it has ended, or ends; it performs nothing else. */
  get isUsable(): boolean {
    return this.#isUsable;
  }

  get what(): Carrier['what'] {
    return this.#carrier.what;
  }

  /** Resolves when it has ended. */
  get gone(): Promise<string> {
    return this.#carrier.gone;
  }

  /** Performs one attempt; another only when that is over. */
  async run(instruction: PerformInstruction, { signal, timeoutMs, started }: RunOptions): Promise<Ran> {
    const { promise: ended, resolve: end } = Promise.withResolvers<Ran>();
    this.#onReport = (report) => {
      if (report.kind === 'started') started();
      if (report.kind !== 'ended') return;
      if (report.isSpent) this.#isUsable = false;
      end({ kind: 'ended', ending: report.ending });
    };
    let isKilled = false;
    const kill = () => {
      isKilled = true;
      void this.end().then((isGone) => end({ kind: 'killed', isGone }));
    };
    let killing: NodeJS.Timeout | undefined;
    const stop = () => {
      this.#isUsable = false;
      this.#carrier.send({ kind: 'abort', reason: signal.reason as AbortReason });
      killing = setTimeout(kill, KILL_AFTER_MS);
    };
    const overtime = setTimeout(kill, Math.min(timeoutMs + KILL_AFTER_MS, MAX_TIMER_MS));
    this.#onGone = (how) => end(isKilled ? { kind: 'killed', isGone: true } : { kind: 'died', how });
    if (this.#isGone) this.#onGone('before the attempt began');
    signal.addEventListener('abort', stop, { once: true });
    this.#carrier.send(instruction);
    if (signal.aborted) stop();
    const ran = await ended;
    clearTimeout(overtime);
    clearTimeout(killing);
    signal.removeEventListener('abort', stop);
    this.#onReport = () => {};
    this.#onGone = () => {};
    return ran;
  }

  /** Ends it, when it has let go of its services where it is idle. Resolves when it is gone, or cannot be had to go. */
  async close(): Promise<void> {
    this.#isUsable = false;
    this.#carrier.send({ kind: 'close' });
    await resolvedWithin(this.#carrier.gone, CLOSE_MS);
    await this.end();
  }

  /** Ends it at once. Resolves when it is gone, or with false where native code in it goes on. */
  async end(): Promise<boolean> {
    this.#kill();
    return await resolvedWithin(this.#carrier.gone, GONE_MS);
  }

  #kill(): void {
    this.#isUsable = false;
    if (!this.#isGone) this.#carrier.kill();
  }

  #take(report: Report): void {
    if (report.kind === 'ready') {
      clearTimeout(this.#starting);
      this.#ready.resolve(undefined);
    }
    if (report.kind === 'unready') {
      this.#unready(report.message, report.isOutage);
      this.#kill();
    }
    if (report.kind === 'logged') this.#events.publish('handler.logged', readLine(report.line));
    if (report.kind === 'progressed') this.#events.publish('handler.progressed', report.progress);
    if (report.kind === 'dropped') publishDropped(this.#events, report.lines);
    this.#onReport(report);
  }

  #unready(message: string, isOutage = false): void {
    clearTimeout(this.#starting);
    this.#ready.resolve({ message, isOutage });
  }
}

/** As where lines of this process are dropped. */
function publishDropped(events: Events, lines: number): void {
  events.publish('log.dropped', { lines });
  events.publish('log.recovered', { lines });
}
