/**
 * Claims jobs for the deliveries of all channels, by group commit, and finds out what is the matter with those it cannot claim.
 *
 * Guarantees: nothing is claimed while this worker's presence is not held (others would take it for dead); a job that runs, here or under another
 * living owner, is not claimed; a job that is refused and not at its end has its message noted as spent, so that the relay sends another.
 */
import { Batcher } from '#shared/batcher.ts';
import { Unavailable } from '#shared/errors.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { Standing } from '#shared/postgres/job-queries.ts';
import { findStandings } from '#shared/postgres/job-queries.ts';
import type { Claim, Claimant, FreeSlots } from '#shared/postgres/jobs.ts';
import { claimJobs, claimNextJobs, reclaimJobs, spendMessages } from '#shared/postgres/jobs.ts';
import type { Presence } from '#shared/postgres/presence.ts';
import { StartMarks } from './start-marks.ts';
import { Takeover } from './takeover.ts';

/** A message that came: `redelivered` as the broker says, so that its earlier consumer has lost it. */
export interface Delivered {
  id: string;
  redelivered: boolean;
}

/** Why a job is not claimed. Its message is spent, save for `unknown`: no such row, somebody should know. */
export interface Refusal {
  reason: 'twice' | 'ended' | 'not-due' | 'runs-here' | 'runs-elsewhere' | 'waits' | 'unknown';
}

export interface ClaimerOptions {
  database: Database;
  presence: Presence;
}

export class Claimer {
  readonly #database: Database;
  readonly #presence: Presence;
  readonly #startMarks: StartMarks;
  readonly #takeover: Takeover;
  /** What this process has claimed and not released, with the fence of the claim. */
  readonly #held = new Map<string, number>();
  readonly #delivered: Record<string, number> = {};
  /** Jobs that are being taken over: one delivery of a job at a time. */
  readonly #taking = new Set<string>();
  /** The claim without messages that is under way. */
  #asking: Promise<unknown> = Promise.resolve();
  readonly #claims: Batcher<string, Claim | Refusal>;
  readonly #spent: Batcher<string, undefined>;

  constructor({ database, presence }: ClaimerOptions) {
    this.#database = database;
    this.#presence = presence;
    this.#startMarks = new StartMarks({
      tell: (batch) => presence.tellStarted(batch),
      owner: () => this.#owner(),
      isRunning: () => this.#held.size > 0,
    });
    this.#takeover = new Takeover({ database, startMarks: this.#startMarks });
    this.#claims = new Batcher({
      run: (ids) => this.#startMarks.claimed((claimant) => this.#claim(ids, claimant)),
    });
    this.#spent = new Batcher({
      run: async (ids) => {
        await database.query((sql) => spendMessages(sql, ids));
        return ids.map(() => undefined);
      },
    });
  }

  /** Throws `Unavailable` where nobody can tell now; the claim may have been made all the same, and a later call finds it. */
  async claim({ id, redelivered }: Delivered): Promise<Claim | Refusal> {
    const result = await this.#claims.add(id);
    if ('fence' in result) return result;
    if (result.reason === 'runs-elsewhere' && redelivered) {
      const claim = await this.#takeOver(id);
      if (claim !== undefined) return claim;
    }
    if (['runs-here', 'runs-elsewhere', 'waits'].includes(result.reason)) await this.#spent.add(id);
    return result;
  }

  /** Claims what is available, without a message. Throws `Unavailable`. */
  async claimNext(wanted: readonly FreeSlots[]): Promise<Claim[]> {
    const asking = this.#startMarks.claimed((claimant) => this.#claimNext(wanted, claimant));
    this.#asking = asking.catch(() => {}); // who asks is told
    return await asking;
  }

  async #claimNext(wanted: readonly FreeSlots[], claimant: Claimant): Promise<Claim[]> {
    const except = [...this.#held.keys()];
    return this.#hold(
      await this.#database.query((sql) => claimNextJobs(sql, { wanted, except, ...claimant })),
    );
  }

  /** Whether this process has a live attempt of the job. */
  holds(id: string): boolean {
    return this.#held.has(id);
  }

  /** Whether rows may say that jobs run here. */
  get mayHold(): boolean {
    return this.#held.size > 0 || this.#startMarks.hasUnheard;
  }

  /** The attempt is over and recorded. */
  release({ id, fence }: Claim): void {
    if (this.#held.get(id) === fence) this.#held.delete(id);
  }

  /** By queue, the latest due time among the jobs that were delivered here: their messages were published after it. */
  get delivered(): Readonly<Record<string, number>> {
    return this.#delivered;
  }

  async #takeOver(id: string): Promise<Claim | undefined> {
    if (this.#taking.has(id)) return undefined;
    this.#taking.add(id);
    try {
      const claim = await this.#takeover.attempt(id);
      if (claim !== undefined) this.#hold([claim]);
      return claim;
    } finally {
      this.#taking.delete(id);
    }
  }

  #hold(claims: Claim[]): Claim[] {
    for (const { id, fence } of claims) this.#held.set(id, fence);
    return claims;
  }

  #owner(): string {
    const { held, owner } = this.#presence;
    if (!held || owner === undefined) throw new Unavailable('no_presence', 'the presence is not held');
    return owner;
  }

  async #claim(deliveries: readonly string[], claimant: Claimant): Promise<(Claim | Refusal)[]> {
    const results = new Map<string, Claim | Refusal>();
    for (const id of deliveries) if (this.holds(id)) results.set(id, { reason: 'runs-here' });
    const wanted = [...new Set(deliveries)].filter((id) => !results.has(id));
    if (wanted.length > 0) {
      for (const claim of await this.#database.query((sql) => claimJobs(sql, wanted, claimant))) {
        results.set(claim.id, claim);
        this.#noteDelivery(claim);
      }
    }
    const left = wanted.filter((id) => !results.has(id));
    if (left.length > 0)
      for (const [id, result] of await this.#explain(left, claimant)) results.set(id, result);
    this.#hold([...results.values()].filter((result) => 'fence' in result));
    return deliveries.map((id) => {
      const result = results.get(id) ?? { reason: 'twice' };
      if ('fence' in result) results.delete(id); // one delivery of several gets the claim
      return result;
    });
  }

  #noteDelivery({ queue, dueAt }: Claim): void {
    if (dueAt > (this.#delivered[queue] ?? 0)) this.#delivered[queue] = dueAt;
  }

  /** The rare cases: redelivered, duplicated, cancelled, paused or foreign; and a claim of ours whose answer was lost. */
  async #explain(ids: readonly string[], claimant: Claimant): Promise<Map<string, Claim | Refusal>> {
    await this.#asking; // what it has claimed is held then, and not unheard
    const standings = await this.#database.query((sql) => findStandings(sql, ids));
    const results = new Map<string, Claim | Refusal>(ids.map((id) => [id, { reason: 'unknown' }]));
    const unheard: Standing[] = [];
    for (const standing of standings) {
      const isMine = standing.state === 'running' && standing.owner === claimant.owner;
      if (isMine && !this.holds(standing.id) && !this.#taking.has(standing.id)) unheard.push(standing);
      results.set(standing.id, { reason: isMine ? 'runs-here' : toReason(standing) });
    }
    if (unheard.length > 0) {
      for (const claim of await this.#database.query((sql) => reclaimJobs(sql, unheard, claimant)))
        results.set(claim.id, claim);
    }
    return results;
  }
}

function toReason({ state }: Standing): Refusal['reason'] {
  if (state === 'running') return 'runs-elsewhere';
  if (state === 'available') return 'waits'; // its queue is paused, or it has become available just now
  return state === 'scheduled' || state === 'retryable' ? 'not-due' : 'ended';
}
