/**
 * How a worker is, as it tells with every beat: what it runs, its lane, its memory, how late its event loop has been. Costs ten native samples a second
 * and no statement.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { version } from '#shared/base/version.ts';
import type { Vitals } from '#shared/postgres/statements/workers.ts';

const SAMPLE_MS = 100;

export interface VitalSignsOptions {
  /** How many of each queue's jobs are under way. */
  running: () => Readonly<Record<string, number>>;
  isOnFallback: () => boolean;
  isDraining: () => boolean;
}

export class VitalSigns {
  readonly #options: VitalSignsOptions;
  readonly #loopDelay = monitorEventLoopDelay({ resolution: SAMPLE_MS });

  constructor(options: VitalSignsOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loopDelay.enable();
  }

  stop(): void {
    this.#loopDelay.disable();
  }

  /** Now; the delay is the longest since it was read last. */
  read(): Vitals {
    const { running, isOnFallback, isDraining } = this.#options;
    const loopDelayMs = Math.max(0, Math.round(this.#loopDelay.max / 1e6 - SAMPLE_MS));
    this.#loopDelay.reset();
    return {
      version,
      running: running(),
      lane: isOnFallback() ? 'postgres' : 'rabbitmq',
      loopDelayMs,
      memoryBytes: process.memoryUsage.rss(),
      isDraining: isDraining(),
    };
  }
}
