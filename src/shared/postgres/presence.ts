/**
 * The life sign of a worker: a session advisory lock, keyed by the worker's owner number, on a connection of its own. It vanishes when
 * the process is killed (the socket closes), but survives a blocked event loop and a closed AMQP channel. The same connection writes a beat, whose
 * age tells of a frozen worker, tells which claims have started, hears notices (cancel, pause, resume, a job that is due soon) and runs for the
 * leadership of the maintenance.
 *
 * Guarantees: `held` is true only while the lock is, and what a crash of Postgres has undone is restored before; claims are opened again after a
 * crash by a session that has lasted long enough since, for no session outlives a crash; what was told before the process died is committed when the
 * lock is free, because Postgres reads it first; a lock that somebody else holds keeps no worker away (owner-number.ts); the connection is opened
 * again, with jitter, until `stop`. Must not know what the notices mean.
 */
import postgres from 'postgres';
import { backoffMs, sleep, withDeadline } from '../base/backoff.ts';
import { Unavailable } from '../base/errors.ts';
import { connectionOptions } from './connection-options.ts';
import type { Sql } from './database.ts';
import type { Notice } from './notices.ts';
import { NOTICE_CHANNEL, parseNotice } from './notices.ts';
import { LOCK_WAIT_MS, retakeOwnerNumber, takeOwnerNumber } from './owner-number.ts';
import { RETURN_MS } from './statements/parts.ts';
import type { Serves, Vitals } from './statements/workers.ts';
import { beat, leave, markStarted } from './statements/workers.ts';

/** Eight idle workers beat three times a second together. */
const BEAT_MS = 2_500;
/** The least time between two beats, however many notices say that the leader has left. */
const BETWEEN_BEATS_MS = 250;
/** A leader that is frozen is replaced within the term and a beat. */
const TERM_MS = 6_000;
/** What its own clock gives up at the end of a term. */
const TERM_MARGIN_MS = 1_000;
const DEADLINE_MS = 5_000;

export interface PresenceOptions {
  /** Where sessions last as long as their connection: never through a PgBouncer in transaction mode. */
  url: string;
  /** The process's name; the connection shows as `<name> presence`. */
  name: string;
  /** What has been delivered to this worker: see `Beat`. */
  delivered: () => Readonly<Record<string, number>>;
  /** What it runs. */
  serves: Serves;
  /** How it is when it beats. */
  vitals: () => Vitals;
  /** Anybody may send one, and any number of them: see notices.ts. Those that are for the presence itself are not passed on: it beats at once. */
  onNotice: (notice: Exclude<Notice, { kind: 'leader' | 'drain' }>) => void;
  /** The lock is taken, and nothing is claimed yet: restores what a crash of Postgres has undone. Where it rejects, the session ends. */
  restore: (sql: Sql) => Promise<void>;
  /** The lock is held (again). Notices may have been missed meanwhile: look at what they would have told. */
  onHeld: () => void;
  /** What people have set for the queues is not what it was at the last beat: for a notice that was missed. */
  onQueuesChanged: () => void;
  /** This worker leads the maintenance from now on. */
  onLeading: () => void;
  onLost: (error: unknown) => void;
  /** Somebody has asked this worker to end. May be told more than once. */
  onDrainRequested: () => void;
}

export class Presence {
  readonly #options: PresenceOptions;
  readonly #stopping = new AbortController();
  #sql: postgres.Sql | undefined;
  readonly #owners: string[] = [];
  #held = false;
  #leadsUntil = 0;
  readonly #toldOnce = Promise.withResolvers<void>();
  #beatNow = new AbortController();
  #life: Promise<void> = Promise.resolve();

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  get #sessionName(): string {
    return `${this.#options.name} presence`;
  }

  /** This worker's number, which may be another after its session was lost; undefined until the lock was held for the first time. */
  get owner(): string | undefined {
    return this.#owners.at(-1);
  }

  /** All numbers that this worker has had; its jobs' rows name one of them. */
  get owners(): readonly string[] {
    return this.#owners;
  }

  get held(): boolean {
    return this.#held;
  }

  /** Whether this process leads the maintenance. It must not act after its term, however long it was frozen in between. */
  get leader(): boolean {
    return performance.now() < this.#leadsUntil;
  }

  /** Tells that the handlers of this worker's claims up to this number have been started. Throws where Postgres cannot be told now. */
  async tellStarted(claimNumber: number): Promise<void> {
    if (this.#sql === undefined) throw new Unavailable('no_presence', 'the presence is not held');
    await this.#withDeadline(markStarted(this.#sql, { owner: this.owner ?? '0', claimNumber }));
  }

  start(): void {
    this.#life = this.#live();
  }

  /** Resolves when the lock is held and others know of it for the first time, or when `stop` is called. */
  async toldOnce(): Promise<void> {
    await this.#toldOnce.promise;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#toldOnce.resolve();
    await this.#life;
  }

  async #live(): Promise<void> {
    for (let retry = 1; !this.#stopping.signal.aborted; retry += 1) {
      const since = performance.now();
      if ((await this.#session()) && performance.now() - since > BEAT_MS) {
        retry = 0; // at once: others may take this worker for dead
        continue;
      }
      await sleep(backoffMs(retry, { firstMs: 50, maxMs: 1_000, jitter: 0.5 }), this.#stopping.signal);
    }
  }

  /** One connection, from its opening to its end. Returns whether the lock was held at all. */
  async #session(): Promise<boolean> {
    const closed = new AbortController();
    const { connection, ...options } = connectionOptions(this.#sessionName, { url: this.#options.url });
    const sql = postgres(this.#options.url, {
      ...options,
      connect_timeout: 3, // with the wait before the next try well below RETURN_MS: a worker is to be back before others may claim what it holds
      connection: {
        ...connection,
        synchronous_commit: 'off', // who waits for the lock must not wait for the disk
        client_connection_check_interval: 0, // what was told is carried out, though its teller has died
      },
      max: 1,
      idle_timeout: 0,
      onclose: () => closed.abort(),
      onnotify: (_channel: string, payload: string) => {
        const notice = parseNotice(payload);
        if (notice?.kind === 'leader' || notice?.kind === 'drain') this.#beatNow.abort();
        else if (notice !== undefined) this.#options.onNotice(notice);
      },
    } as postgres.Options<Record<string, never>>); // `onnotify` is in postgres.js's code, not in its types
    let wasHeld = false;
    try {
      await this.#withDeadline(this.#acquire(sql), DEADLINE_MS + LOCK_WAIT_MS);
      wasHeld = true;
      this.#sql = sql;
      this.#held = true;
      this.#options.onHeld();
      await this.#beat(sql, closed.signal);
      if (!this.#stopping.signal.aborted) throw new Error('the presence connection was closed');
      await this.#withDeadline(leave(sql, this.owner ?? '0'));
    } catch (error) {
      this.#options.onLost(error);
    } finally {
      this.#held = false;
      this.#sql = undefined;
      this.#leadsUntil = 0;
      await sql.end({ timeout: this.#stopping.signal.aborted ? 1 : 0 });
    }
    return wasHeld;
  }

  async #acquire(sql: postgres.Sql): Promise<void> {
    const { owner } = this;
    const onTaken = (taken: string) => this.#owners.push(taken);
    if (owner === undefined) onTaken(await takeOwnerNumber(sql));
    else await retakeOwnerNumber(sql, { owner, sessionName: this.#sessionName, onTaken });
    await sql`listen ${sql(NOTICE_CHANNEL)}`;
    await this.#options.restore(sql);
  }

  /** Writes the life sign now and then: notices a half-open socket, and leads where nobody does. */
  async #beat(sql: postgres.Sql, closed: AbortSignal): Promise<void> {
    const { name, delivered, serves, vitals } = this.#options;
    let hasCome = true;
    let queuesSeen: string | null = null;
    const since = performance.now();
    const ended = AbortSignal.any([closed, this.#stopping.signal]);
    while (!ended.aborted) {
      this.#beatNow = new AbortController(); // before the question: a notice that comes with its answer counts
      const termEndsAt = performance.now() + TERM_MS - TERM_MARGIN_MS;
      const { leads, queues, isToDrain } = await this.#withDeadline(
        beat(sql, {
          owner: this.owner ?? '0',
          name,
          termMs: TERM_MS,
          delivered: delivered(),
          serves,
          vitals: vitals(),
          hasCome,
          opensClaims: performance.now() - since > RETURN_MS,
        }),
      );
      if (!hasCome && queues !== queuesSeen) this.#options.onQueuesChanged();
      queuesSeen = queues;
      hasCome = false;
      this.#toldOnce.resolve();
      if (isToDrain) this.#options.onDrainRequested();
      const didLead = this.leader;
      this.#leadsUntil = leads ? termEndsAt : 0;
      if (leads && !didLead) this.#options.onLeading();
      await sleep(BETWEEN_BEATS_MS, ended);
      await sleep(BEAT_MS - BETWEEN_BEATS_MS, AbortSignal.any([ended, this.#beatNow.signal]));
    }
  }

  #withDeadline<T>(promise: Promise<T>, ms = DEADLINE_MS): Promise<T> {
    return withDeadline(promise, ms, () => new Unavailable('presence_timeout', `no answer within ${ms} ms`));
  }
}
