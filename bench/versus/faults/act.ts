// One contender in one scenario: its fleet, the submits and what was answered to them, and the notes for the table.
import { setTimeout as delay } from 'node:timers/promises';
import type { OwnedProcess } from '../../../dev/owned-process.ts';
import { monotonicMs } from '../../stage/monotonic.ts';
import type { Work } from '../contender.ts';
import type { ContenderFleet } from '../contender-fleet.ts';
import type { Run } from '../programs/effect-book.ts';
import type { Submit } from './balance.ts';

export interface Proof {
  what: string;
  ok: boolean;
}

const ANSWER_TIMEOUT_MS = 30_000;
const LOOK_EVERY_MS = 100;
const CONCURRENCY = 10;
const READY_TIMEOUT_MS = 30_000;
const ALL_READY_TIMEOUT_MS = 10_000;
const PROBE_EVERY_MS = 200;

export class Act {
  readonly fleet: ContenderFleet;
  readonly submits: Submit[] = [];
  readonly proofs: Proof[] = [];
  readonly figures: Record<string, number | string | null> = {};
  error: string | undefined;
  #next = 0;

  constructor(fleet: ContenderFleet) {
    this.fleet = fleet;
  }

  get title(): string {
    return this.fleet.contender.title;
  }

  /** An API and two workers; resolves when they work. */
  async begin(concurrency = CONCURRENCY): Promise<void> {
    await this.fleet.store((store) => store.empty());
    await this.fleet.startApi();
    await Promise.all([this.fleet.startWorker(concurrency), this.fleet.startWorker(concurrency)]);
    await this.warmUp();
  }

  /**
   * Resolves when every living worker has run a job and nothing runs. Where workers fetch many jobs at once, one may get them all, again and again:
   * after a while a single one is enough.
   */
  async warmUp(): Promise<void> {
    const living = this.fleet.livingWorkers;
    const seen = () => new Set(this.fleet.runs().map(({ pid }) => pid));
    const startedAt = monotonicMs();
    while (!living.every(({ pid }) => seen().has(pid))) {
      const waitedMs = monotonicMs() - startedAt;
      if (waitedMs > ALL_READY_TIMEOUT_MS && living.some(({ pid }) => seen().has(pid))) break;
      if (waitedMs > READY_TIMEOUT_MS) throw new Error('no worker has started a job');
      await Promise.all([this.submit({ ms: 400 }), this.submit({ ms: 400 }), this.submit({ ms: 400 })]);
      await delay(PROBE_EVERY_MS);
    }
    const isIdle = () => living.every((worker) => this.running(worker).length === 0);
    await this.until(isIdle, READY_TIMEOUT_MS);
  }

  async submit(work: Omit<Work, 'key'>): Promise<string> {
    const key = `k${this.#next}`;
    this.#next += 1;
    const at = monotonicMs();
    const outcome = await this.#ask({ key, ...work });
    this.submits.push({ key, at, outcome, ms: monotonicMs() - at });
    return key;
  }

  /** At a steady rate until told to stop. Resolves when every submit has ended. */
  async load({
    perSecond,
    ms,
    signal,
  }: {
    perSecond: number;
    ms: number;
    signal: AbortSignal;
  }): Promise<void> {
    const open: Promise<unknown>[] = [];
    while (!signal.aborted) {
      open.push(this.submit({ ms }));
      await delay(1_000 / perSecond, undefined, { signal }).catch(() => {}); // the end of the load
    }
    await Promise.all(open);
  }

  /** Runs that have begun and not ended, as far as the book knows. */
  running(worker?: OwnedProcess): Run[] {
    return this.fleet
      .runs()
      .filter(({ endedAt, pid }) => endedAt === undefined && (worker === undefined || pid === worker.pid));
  }

  /** The worker with most running jobs, once it has so many. */
  async busiest(wanted: number): Promise<OwnedProcess> {
    const find = () =>
      this.fleet.livingWorkers
        .map((worker) => ({ worker, count: this.running(worker).length }))
        .toSorted((one, other) => other.count - one.count)[0];
    await this.until(() => (find()?.count ?? 0) >= wanted, READY_TIMEOUT_MS);
    const found = find();
    if (found === undefined) throw new Error('there is no worker');
    return found.worker;
  }

  /** Answers whether it came true in time. */
  async until(condition: () => boolean | Promise<boolean>, timeoutMs: number): Promise<boolean> {
    const deadline = monotonicMs() + timeoutMs;
    while (!(await condition())) {
      if (monotonicMs() > deadline) return false;
      await delay(LOOK_EVERY_MS);
    }
    return true;
  }

  /** Waits until every accepted job has ended in the book. Answers whether all have. */
  async drain(timeoutMs: number): Promise<boolean> {
    const isDrained = () => {
      const ended = new Set(
        this.fleet.runs().flatMap(({ key, endedAt }) => (endedAt === undefined ? [] : key)),
      );
      return this.submits.every(({ key, outcome }) => outcome !== 'accepted' || ended.has(key));
    };
    return await this.until(isDrained, timeoutMs);
  }

  prove(what: string, ok: boolean): void {
    this.proofs.push({ what, ok });
  }

  async #ask(args: Work): Promise<Submit['outcome']> {
    try {
      const response = await fetch(`${this.fleet.api.url}/v1/jobs`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ type: 'versus-work', args }),
        signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      });
      await response.text();
      return response.status === 202 ? 'accepted' : 'refused';
    } catch {
      return 'unanswered'; // the socket broke, or the time was up: the client does not know
    }
  }
}
