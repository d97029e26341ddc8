// The course of a run: watch, load, watch until the fleet is small again; a sample of everything at every interval, shown and kept.
// Guarantees: each phase ends when it is told to, or at its limit; samples take bounded memory however long it lasts.
import { sleep } from '../../src/shared/base/backoff.ts';
import type { Display } from './display.ts';
import type { Load } from './load.ts';
import { Phases } from './phases.ts';
import { RateMeter } from './rate-meter.ts';
import { ScalingEvents } from './scaling-events.ts';
import type { LoadState } from './screen.ts';
import { isSettled } from './settled.ts';
import type { Phase } from './timeline.ts';
import { Timeline, toPoint } from './timeline.ts';
import type { Watcher } from './watcher.ts';

export interface CourseOptions {
  watcher: Pick<Watcher, 'snapshot'>;
  /** Undefined: somebody else sends. */
  load: Load | undefined;
  /** What is sent, in words. */
  what: string;
  display: Display;
  namespace: string;
  beforeMs: number;
  /** Infinity: until told. */
  loadMs: number;
  afterMs: number;
  intervalMs: number;
}

/** So many samples in a row the fleet has to be small and idle: figures settle one after the other. */
const SETTLED_SAMPLES = 5;

export class Course {
  readonly timeline = new Timeline();
  readonly phases = new Phases();
  readonly events = new ScalingEvents();
  readonly #options: CourseOptions;
  readonly #endingLoad = new AbortController();
  readonly #ending = new AbortController();
  readonly #answered = new RateMeter();
  #phase: Phase = 'before';
  #startedAtMs = 0;
  #phaseAtMs = 0;
  #settledSamples = 0;

  constructor(options: CourseOptions) {
    this.#options = options;
  }

  /** Ends what is under way: the load, and then the watching; at once where there is no load to be watched afterwards. */
  end(): void {
    if (this.#phase === 'load') this.#endingLoad.abort();
    else this.endAtOnce();
  }

  endAtOnce(): void {
    this.#ending.abort();
    this.#endingLoad.abort();
  }

  async run(): Promise<void> {
    const { load, beforeMs, loadMs, afterMs } = this.#options;
    this.#startedAtMs = performance.now();
    await this.#watch('before', beforeMs, this.#ending.signal);
    if (this.#ending.signal.aborted) return;
    const finished = new AbortController();
    const sending = load?.run(AbortSignal.any([this.#endingLoad.signal, finished.signal]));
    await this.#watch('load', loadMs, this.#endingLoad.signal);
    finished.abort();
    await sending;
    if (this.#ending.signal.aborted) return;
    await this.#watch('after', afterMs, this.#ending.signal);
  }

  async #watch(phase: Phase, limitMs: number, signal: AbortSignal): Promise<void> {
    this.#phase = phase;
    this.#phaseAtMs = performance.now();
    this.#settledSamples = 0;
    for (;;) {
      const leftMs = this.#phaseAtMs + limitMs - performance.now();
      await sleep(Math.max(0, Math.min(this.#options.intervalMs, leftMs)), signal);
      this.#sample();
      const isOver = performance.now() - this.#phaseAtMs >= limitMs;
      if (signal.aborted || isOver || (phase === 'after' && this.#settledSamples >= SETTLED_SAMPLES)) return;
    }
  }

  #sample(): void {
    const { watcher, load, display, namespace } = this.#options;
    const now = performance.now();
    const snapshot = watcher.snapshot();
    if (load !== undefined) this.#answered.look(load.answered, now);
    const requestsPerSecond = load === undefined || this.#phase !== 'load' ? null : this.#answered.perSecond;
    const seconds = (now - this.#startedAtMs) / 1_000;
    const point = toPoint({ seconds, phase: this.#phase, snapshot, requestsPerSecond });
    const takenAt = new Date();
    this.timeline.add(point);
    this.phases.add({ snapshot, point, takenAt });
    this.events.look(snapshot, seconds);
    this.#settledSamples = isSettled(snapshot) ? this.#settledSamples + 1 : 0;
    display.show({
      snapshot,
      point,
      phaseSeconds: (now - this.#phaseAtMs) / 1_000,
      until: this.#describeEnd(),
      namespace,
      load: this.#phase === 'load' ? this.#loadState(requestsPerSecond) : undefined,
      now: takenAt,
    });
  }

  #describeEnd(): string {
    const { beforeMs, loadMs, afterMs } = this.#options;
    const limits: Readonly<Record<Phase, number>> = { before: beforeMs, load: loadMs, after: afterMs };
    const limitMs = limits[this.#phase];
    const limit = Number.isFinite(limitMs) ? `of ${Math.round(limitMs / 1_000)} s` : '(Ctrl-C ends the load)';
    return this.#phase === 'after' ? `${limit} at most, until the fleet is small and idle` : limit;
  }

  #loadState(perSecond: number | null): LoadState | undefined {
    const { load, what } = this.#options;
    if (load === undefined) return undefined;
    const { answered, failed, failure, rounds, lastRound, holding } = load;
    return { what, answered, failed, failure, perSecond, rounds, lastRound, isHolding: holding };
  }
}
