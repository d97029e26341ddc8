// The load: rounds of so many requests, so many at a time, one round after the other until it is stopped.
// Guarantees: a server that is away or refuses is asked less and less often, and again when it is back; nothing is enqueued while more jobs
// wait than allowed; every request has a deadline; counts and latencies take the same memory however long it lasts.
// Each round opens connections of its own: a Service balances connections, and pods that came meanwhile would get none of the old ones.
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Reading } from '../../src/cli/cluster/reading.ts';
import { explain } from '../../src/cli/cluster/reading.ts';
import { backoffMs, sleep } from '../../src/shared/base/backoff.ts';
import { sendRequest } from '../stage/http-request.ts';
import { LatencyHistogram } from './latency-histogram.ts';
import type { LoadPlan, LoadRequest } from './load-plan.ts';
import { toRequest } from './load-plan.ts';
import type { QueueState } from './queues.ts';
import { totalQueues } from './queues.ts';

export interface LoadOptions {
  url: URL;
  token: string | undefined;
  plan: LoadPlan;
  /** Requests of a round. */
  requests: number;
  /** Requests at a time. */
  concurrency: number;
  /** The load waits while more jobs than this do. */
  maxWaiting: number;
  /** What waits in the queues, as it was last told: another object each time it is told. */
  queues: () => Reading<readonly QueueState[]>;
}

export interface Round {
  number: number;
  requests: number;
  failed: number;
  seconds: number;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
}

const HOLD_MS = 200;

export class Load {
  /** Requests answered with 2xx, since the beginning. */
  answered = 0;
  /** Requests answered otherwise, or not at all. */
  failed = 0;
  /** Jobs enqueued. */
  jobs = 0;
  rounds = 0;
  /** Why the latest failure failed. */
  failure: string | undefined;
  lastRound: Round | undefined;
  bestRound: Round | undefined;
  readonly latencies = new LatencyHistogram();
  readonly #options: LoadOptions;
  #holding = false;
  #failuresInARow = 0;
  #next = 0;
  #told: Reading<readonly QueueState[]> | undefined;
  #jobsWhenTold = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  /** Whether it waits for the workers to catch up. */
  get holding(): boolean {
    return this.#holding;
  }

  /** Resolves when the signal has aborted and the requests under way have ended. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) await this.#runRound(signal);
  }

  async #runRound(signal: AbortSignal): Promise<void> {
    const { url, requests, concurrency } = this.#options;
    const settings = { keepAlive: true, maxSockets: concurrency };
    const agent = url.protocol === 'https:' ? new HttpsAgent(settings) : new HttpAgent(settings);
    const latencies = new LatencyHistogram();
    const before = { answered: this.answered, failed: this.failed };
    const startedAt = performance.now();
    let left = requests;
    const lane = async () => {
      while (left > 0 && !signal.aborted) {
        left -= 1;
        await this.#sendOne(agent, latencies, signal);
      }
    };
    await Promise.all(Array.from({ length: Math.min(concurrency, requests) }, lane));
    agent.destroy();
    const seconds = (performance.now() - startedAt) / 1_000;
    const answered = this.answered - before.answered;
    if (signal.aborted || answered === 0) return; // a part of a round is not compared with whole ones
    this.#finishRound({ answered, failed: this.failed - before.failed, seconds, latencies });
  }

  async #sendOne(agent: HttpAgent, latencies: LatencyHistogram, signal: AbortSignal): Promise<void> {
    await this.#holdBack(signal);
    if (signal.aborted) return;
    const request = toRequest(this.#options.plan, this.#next);
    this.#next += 1;
    const startedAt = performance.now();
    try {
      await this.#send(request, agent);
      const tookMs = performance.now() - startedAt;
      latencies.add(tookMs);
      this.latencies.add(tookMs);
      this.answered += 1;
      this.jobs += request.jobs;
      this.#failuresInARow = 0;
    } catch (error) {
      this.failed += 1;
      this.failure = explain(error);
      this.#failuresInARow += 1;
      await sleep(
        backoffMs(this.#failuresInARow / this.#options.concurrency, { firstMs: 100, maxMs: 2_000 }),
        signal,
      );
    }
  }

  async #holdBack(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.#isTooMuch()) {
      this.#holding = true;
      await sleep(HOLD_MS, signal);
    }
    this.#holding = false;
  }

  /** What was enqueued since the queues were told counts as waiting. While they are not known, nothing is held back. */
  #isTooMuch(): boolean {
    const told = this.#options.queues();
    if (told !== this.#told) this.#jobsWhenTold = this.jobs;
    this.#told = told;
    if (!told.ok) return false;
    const { waiting } = totalQueues(told.value);
    return waiting + this.jobs - this.#jobsWhenTold > this.#options.maxWaiting;
  }

  async #send({ method, path, body }: LoadRequest, agent: HttpAgent): Promise<void> {
    const { url, token } = this.#options;
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const { status } = await sendRequest(new URL(path, url), { method, agent, headers, body });
    if (status < 200 || status >= 300) throw new Error(`${status} at ${path.replace(/\d+$/, ':id')}`);
  }

  #finishRound({ answered, failed, seconds, latencies }: FinishedRound): void {
    this.rounds += 1;
    const round = {
      number: this.rounds,
      requests: answered,
      failed,
      seconds,
      perSecond: answered / seconds,
      p50Ms: latencies.percentile(50),
      p99Ms: latencies.percentile(99),
    };
    this.lastRound = round;
    if (this.bestRound === undefined || round.perSecond > this.bestRound.perSecond) this.bestRound = round;
  }
}

interface FinishedRound {
  answered: number;
  failed: number;
  seconds: number;
  latencies: LatencyHistogram;
}
