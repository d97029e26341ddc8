// What a run has beside the database: the model, a broker whose messages the steps deliver, lose and repeat, and workers with attempts under way.
// Both sides see the same world; only what happens to jobs is decided twice, by Postgres and by the model.
import type postgres from 'postgres';
import type { Claim } from '../../src/shared/postgres/statements/claim.ts';
import { ADVISORY_CLASS } from '../../src/shared/postgres/statements/parts.ts';
import type { Outcome } from '../../src/shared/postgres/statements/record.ts';
import { setClock } from './clock.ts';
import { Comparison } from './compare.ts';
import { expectThat } from './difference.ts';
import type { ModelJob } from './model.ts';
import { Model } from './model.ts';
import type { Random } from './random.ts';

export const queues = ['critical', 'default'] as const;
export const types = ['greet', 'invoice'] as const;

/** Jobs of these limits are at most so many at once. */
export const limitNames = ['mail', 'print'] as const;

/** The ids of a message, and the worker that has not acknowledged it. */
export interface Message {
  queue: string;
  /** Those that are not done with. */
  ids: Set<string>;
  holder: Worker | undefined;
}

/** A job to publish, or one whose mark is to be written. */
export interface Hint {
  id: string;
  queue: string;
  type: string;
  fence: number;
}

export interface Attempt {
  claim: Pick<
    Claim,
    'id' | 'type' | 'queue' | 'fence' | 'attempt' | 'maxAttempts' | 'claimNumber' | 'crashes'
  >;
  hasStarted: boolean;
  message: Message | undefined;
  /** Somebody had the right to give its job to others. */
  mayBeLost: boolean;
}

export interface Worker {
  /** All numbers that it has had, its present one last. */
  owners: string[];
  claimNumber: number;
  attempts: Map<string, Attempt>;
  /** Claims that it has not heard of: their numbers, by job. */
  unheard: Map<string, number>;
  /** Since when its session holds the lock; undefined while it has none. */
  connectedAt: number | undefined;
  queues: readonly string[];
  types: readonly string[];
  delivered: Record<string, number>;
}

export class World {
  readonly sql: postgres.Sql;
  /** Another session, which holds the locks of the workers. */
  readonly #locks: postgres.Sql;
  readonly model: Model;
  readonly comparison: Comparison;
  workers: Worker[] = [];
  messages: Message[] = [];
  toPublish: Hint[][] = [];
  toMark: Hint[][] = [];
  /** Outcomes that workers have sent. */
  sent: { worker: Worker; outcomes: readonly Outcome[] }[] = [];
  /** Published jobs whose message the broker has lost. */
  readonly lost = new Set<string>();
  /** The step after which a job was held, for those that are. */
  readonly heldSince = new Map<string, number>();
  turn = 0;
  /** How many handlers of a job have started. */
  readonly starts = new Map<string, number>();
  readonly completed = new Set<string>();
  readonly fences = new Map<string, number>();
  /** The jobs of the last step as they were before it, if it was a claim: a crash of Postgres may undo it. */
  undoable: ModelJob[] = [];
  crashedAt = 0;
  /** Of the step that is played. */
  random: Random;
  #lastOwner = 0;

  constructor(parts: { sql: postgres.Sql; locks: postgres.Sql; random: Random; now: number }) {
    this.sql = parts.sql;
    this.#locks = parts.locks;
    this.random = parts.random;
    this.model = new Model(parts.now);
    this.comparison = new Comparison(parts.sql, this.model);
  }

  async advance(ms: number): Promise<void> {
    this.model.now += ms;
    await setClock(this.sql, this.model.now);
  }

  // Workers.

  get connected(): Worker[] {
    return this.workers.filter(({ connectedAt }) => connectedAt !== undefined);
  }

  newOwner(): string {
    this.#lastOwner += 1;
    return String(this.#lastOwner);
  }

  async lock(worker: Worker): Promise<void> {
    worker.connectedAt = this.model.now;
    await this.#locks`select pg_advisory_lock(${ADVISORY_CLASS}::int, ${ownerOf(worker)}::text::int)`;
  }

  /** Its session ends: the lock is free. */
  async unlock(worker: Worker): Promise<void> {
    if (worker.connectedAt === undefined) return;
    worker.connectedAt = undefined;
    const known = this.model.workers.get(ownerOf(worker));
    if (known !== undefined) known.holdsLock = false;
    await this.#locks`select pg_advisory_unlock(${ADVISORY_CLASS}::int, ${ownerOf(worker)}::text::int)`;
  }

  /** Its consumers are gone: RabbitMQ delivers again what it has not acknowledged. */
  requeueMessagesOf(worker: Worker): void {
    for (const message of this.messages) if (message.holder === worker) message.holder = undefined;
    for (const attempt of worker.attempts.values()) attempt.message = undefined;
  }

  claimantOf(worker: Worker): { owner: string; claimNumber: number } {
    worker.claimNumber += 1;
    return { owner: ownerOf(worker), claimNumber: worker.claimNumber };
  }

  /** The worker has these claims now. */
  hold(worker: Worker, claims: readonly Attempt['claim'][], message?: Message): void {
    for (const claim of claims) {
      expectThat(
        !this.completed.has(claim.id),
        `job ${claim.id} starts again after its committed completion`,
      );
      for (const other of this.workers) {
        const attempt = other.attempts.get(claim.id);
        expectThat(
          attempt === undefined || attempt.mayBeLost,
          `job ${claim.id} starts at worker ${ownerOf(worker)} while its attempt at worker ${ownerOf(other)} is alive`,
        );
      }
      worker.attempts.set(claim.id, { claim, message, hasStarted: false, mayBeLost: false });
      worker.unheard.delete(claim.id);
    }
  }

  /** Their owner may not have them any more. */
  mayLose(ids: readonly string[]): void {
    for (const { attempts } of this.workers)
      for (const id of ids) {
        const attempt = attempts.get(id);
        if (attempt !== undefined) attempt.mayBeLost = true;
      }
  }

  // Messages.

  publish(hints: readonly Hint[]): void {
    for (const [queue, some] of Map.groupBy(hints, (hint) => hint.queue)) {
      this.messages.push({ queue, ids: new Set(some.map(({ id }) => id)), holder: undefined });
      for (const { id } of some) this.lost.delete(id);
    }
  }

  /** One of its jobs is done with; with the last of them it is acknowledged. */
  settle(message: Message, id: string): void {
    message.ids.delete(id);
    if (message.ids.size === 0) this.messages = this.messages.filter((other) => other !== message);
  }
}

/** In the order of their ids: that in which Postgres returns rows is nobody's business, and a run must repeat. */
export function inOrder<T extends { id: string }>(rows: readonly T[]): T[] {
  return rows.toSorted((one, other) => Number(one.id) - Number(other.id));
}

export function ownerOf(worker: Worker): string {
  return worker.owners.at(-1) ?? '0';
}
