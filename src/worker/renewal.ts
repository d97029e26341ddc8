/**
 * When a worker program has done enough and is to be replaced: after so many jobs, so much memory or so much time. It then stops as at SIGTERM and exits with 0;
 * whatever supervises it starts the next one.
 *
 * Guarantees: nothing is watched where nothing is set; each program draws a limit of its own, up to a fifth below what is set, so that programs that were
 * started together do not renew themselves together; resolves once.
 */
import { sleep } from '#shared/base/backoff.ts';
import type { EventMessages, Events } from '#shared/observe/events.ts';

/** Undefined: never for that reason. */
export interface RenewalLimits {
  jobs: number | undefined;
  /** Of the process's resident memory. */
  memoryMb: number | undefined;
  ms: number | undefined;
}

const JITTER_SHARE = 0.2;
const BYTES_PER_MB = 1_048_576;
const LOOK_EVERY_MS = 1_000;

export interface RenewalOptions {
  limits: RenewalLimits;
  events: Events;
  /** Defaults to `Math.random`. */
  random?: () => number;
  /** Resident memory in bytes. Defaults to the process's. */
  memory?: () => number;
}

export class Renewal implements Disposable {
  /** Resolves when the program is to be replaced, which `worker.renewing` has told. */
  readonly due: Promise<void>;
  readonly #options: RenewalOptions;
  readonly #limits: RenewalLimits;
  readonly #startedAt = performance.now();
  readonly #ended = new AbortController();
  readonly #unsubscribe: () => void = () => {};
  readonly #renew: () => void;
  #jobs = 0;

  constructor(options: RenewalOptions) {
    this.#options = options;
    const { limits, random = Math.random } = options;
    const draw = (limit: number | undefined) =>
      limit === undefined ? undefined : Math.max(1, Math.round(limit * (1 - JITTER_SHARE * random())));
    const drawn = { jobs: draw(limits.jobs), memoryMb: draw(limits.memoryMb), ms: draw(limits.ms) };
    this.#limits = drawn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.due = promise;
    this.#renew = resolve;
    if (drawn.jobs !== undefined)
      this.#unsubscribe = options.events.subscribe('attempt.finished', () => this.#countJob());
    if (drawn.memoryMb !== undefined || drawn.ms !== undefined) void this.#look();
  }

  /** Watches no longer. */
  [Symbol.dispose](): void {
    this.#unsubscribe();
    this.#ended.abort();
  }

  #countJob(): void {
    this.#jobs += 1;
    if (this.#jobs === this.#limits.jobs) this.#end('jobs', this.#limits.jobs);
  }

  async #look(): Promise<void> {
    const { memoryMb = Number.POSITIVE_INFINITY, ms = Number.POSITIVE_INFINITY } = this.#limits;
    const { signal } = this.#ended;
    while (!signal.aborted) {
      const leftMs = this.#startedAt + ms - performance.now();
      if (this.#memoryMb() >= memoryMb) this.#end('memory', memoryMb);
      else if (leftMs <= 0) this.#end('time', ms);
      else await sleep(Math.min(LOOK_EVERY_MS, leftMs), signal);
    }
  }

  #memoryMb(): number {
    const { memory = process.memoryUsage.rss } = this.#options;
    return Math.round(memory() / BYTES_PER_MB);
  }

  #end(reason: EventMessages['worker.renewing']['reason'], limit: number): void {
    if (this.#ended.signal.aborted) return;
    this[Symbol.dispose]();
    this.#options.events.publish('worker.renewing', {
      reason,
      limit,
      jobs: this.#jobs,
      memoryMb: this.#memoryMb(),
      ms: Math.round(performance.now() - this.#startedAt),
    });
    this.#renew();
  }
}
