/**
 * The reader: counts the reports of the stream in Redis. It may be killed at any time, and several may run: a report is counted once, and the place in
 * the stream is noted by the same script.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Hono } from 'hono';
import { Batcher } from 'warren/app';
import { Counts } from './counts.ts';
import { createRegistry, readerMetrics } from './metrics.ts';
import { serveUntilStopped } from './serve.ts';
import { brokerUrl, redisUrl } from './settings.ts';
import type { Entry } from './stream.ts';
import { readStream } from './stream.ts';

const AGAIN_MS = 250;

class Reader {
  readonly #counts = new Counts(redisUrl());
  readonly registry = createRegistry();
  readonly #metrics = readerMetrics(this.registry);
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  isReading = false;

  start(): void {
    this.#running ??= this.#keepReading();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    await this.#counts[Symbol.asyncDispose]();
  }

  /** Whatever is lost, RabbitMQ or Redis: it begins again where Redis stands. */
  async #keepReading(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        if (this.#counts.isReady) await this.#read(signal);
      } catch (error) {
        console.error(`the reader begins again: ${error instanceof Error ? error.message : String(error)}`);
      }
      this.isReading = false;
      await sleep(AGAIN_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    const after = await this.#counts.offset();
    // Those of a reading that has ended are refused by Redis: they come again in the next one.
    const calls = new Batcher<Entry, undefined>({ run: (entries) => this.#count(entries), maxItems: 500 });
    const onReading = () => {
      this.isReading = true;
    };
    await readStream({ url: brokerUrl(), after, signal, onReading, onEntry: (entry) => calls.add(entry) });
  }

  async #count(entries: readonly Entry[]): Promise<undefined[]> {
    const reports = entries.flatMap(({ report }) => report ?? []);
    const [first, last] = [entries.at(0), entries.at(-1)];
    if (first === undefined || last === undefined) return [];
    const counted = await this.#counts.add(reports, { previous: first.previous, last: last.offset });
    this.#metrics.entries.inc({ outcome: 'counted' }, counted);
    this.#metrics.entries.inc({ outcome: 'repeated' }, reports.length - counted);
    this.#metrics.entries.inc({ outcome: 'unreadable' }, entries.length - reports.length);
    this.#metrics.offset.set(last.offset);
    return entries.map(() => undefined);
  }
}

const reader = new Reader();
reader.start();
serveUntilStopped({
  app: new Hono(),
  registry: reader.registry,
  isReady: () => reader.isReading,
  stop: () => reader.stop(),
});
