/**
 * The pool of Postgres connections of one process.
 *
 * Guarantees: `min` connections stay open and are reopened when they break, never more than `max` are open, the others close after
 * some idle seconds; one statement per connection at a time, so that no statement waits behind a slow one (postgres.js would pipeline);
 * every statement settles within its deadline, the wait for a connection included, and a connection that misses it is replaced, so that a
 * half-open socket cannot be met twice. What is worth repeating later is thrown as `Unavailable`.
 */
import postgres from 'postgres';
import { backoffMs, sleep, withDeadline } from '../base/backoff.ts';
import { Unavailable } from '../base/errors.ts';
import type { Events } from '../observe/events.ts';
import type { ConnectionPlace } from './connection-options.ts';
import { connectionOptions } from './connection-options.ts';
import { isTimeout, isUnavailable } from './failures.ts';

/** What runs a statement: a connection of the pool, or a postgres.js client or transaction of the caller's. */
// biome-ignore lint/complexity/noBannedTypes: `{}` is how postgres.js spells "no custom types"
export type Sql = postgres.ISql<{}>;

export interface DatabaseOptions extends ConnectionPlace {
  /** `application_name` of every connection, as `pg_stat_activity` shows it. */
  name: string;
  min: number;
  max: number;
  events: Events;
  /** What a statement may take in milliseconds, the wait for a connection included, where the call says nothing. Defaults to 5000. */
  deadlineMs?: number;
}

const MIN_DEADLINE_MS = 100;
/** What a timer may be late, in milliseconds. */
const LATE_MS = 2_000;
const STALE = 'the answer was read too late: this process has stood still';
const IDLE_SECONDS = 5;
const MAX_WAITING = 10_000;

interface Connection {
  sql: postgres.Sql;
  busy: boolean;
  /** False once it was closed, until it has answered again. */
  open: boolean;
  readonly permanent: boolean;
}

export class Database {
  readonly #options: DatabaseOptions & { deadlineMs: number };
  readonly #connections: Connection[];
  readonly #waiting: ((connection: Connection) => void)[] = [];
  readonly #stopping = new AbortController();
  /**
   * Clients whose connection is in a transaction. `begin` of postgres.js is not used: where the connection closes in it, the next statement, its own
   * rollback too, is written to no socket, which ends the process (porsager/postgres#1208).
   */
  readonly #transacting = new Set<postgres.Sql>();

  constructor(options: DatabaseOptions) {
    this.#options = { deadlineMs: 5_000, ...options };
    this.#connections = Array.from({ length: options.max }, (_, index) => this.#create(index < options.min));
  }

  /** Opens the permanent connections. Does not wait for them: Postgres may be away. */
  start(): void {
    for (const connection of this.#connections) if (connection.permanent) this.#reopen(connection);
  }

  /**
   * Runs one statement on a connection that nobody else uses meanwhile. An answer that is read long after its deadline is none: the process stood
   * still, and what it says (a claim, say) may have been taken back.
   * Throws `Unavailable` where a later try may succeed, else the server's own error (`PostgresError`).
   */
  async query<T>(statement: (sql: Sql) => Promise<T>, deadlineMs = this.#options.deadlineMs): Promise<T> {
    return await this.#use(statement, deadlineMs);
  }

  /** The same for statements that are committed together or not at all. One that misses the deadline is rolled back. */
  async transaction<T>(work: (sql: Sql) => Promise<T>, deadlineMs = this.#options.deadlineMs): Promise<T> {
    return await this.#use(async (sql) => {
      await sql.unsafe('begin');
      this.#transacting.add(sql);
      try {
        const answer = await work(sql);
        const { command } = await sql.unsafe('commit');
        if (command !== 'COMMIT')
          throw new Error('a statement of the transaction had failed: it was rolled back');
        return answer;
      } catch (error) {
        if (this.#transacting.has(sql)) await sql.unsafe('rollback').catch(() => {}); // lost meanwhile: the server rolls back
        throw error;
      } finally {
        this.#transacting.delete(sql);
      }
    }, deadlineMs);
  }

  /** The pool now: connections that run a statement, and statements that wait for one. */
  get load(): { busy: number; waiting: number } {
    return { busy: this.#connections.filter(({ busy }) => busy).length, waiting: this.#waiting.length };
  }

  /** What is left of the default deadline for somebody who has waited already, in milliseconds. Never so little that nothing can succeed. */
  deadlineAfter(waitedMs: number): number {
    return Math.max(MIN_DEADLINE_MS, this.#options.deadlineMs - waitedMs);
  }

  /** Ends every connection after at most two seconds. Statements that come later are refused. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#connections.map(({ sql }) => sql.end({ timeout: 2 })));
  }

  async #use<T>(work: (sql: postgres.Sql) => Promise<T>, deadlineMs: number): Promise<T> {
    const startedAt = performance.now();
    const connection = await this.#acquire(deadlineMs);
    try {
      const leftMs = Math.max(1, deadlineMs - (performance.now() - startedAt));
      const answer = await withDeadline(work(connection.sql), leftMs, () => {
        this.#replace(connection);
        return new Unavailable('postgres_timeout', `Postgres did not answer within ${deadlineMs} ms`);
      });
      connection.open = true;
      if (performance.now() - startedAt > deadlineMs + LATE_MS)
        throw new Unavailable('postgres_timeout', STALE);
      return answer;
    } catch (error) {
      if (error instanceof Unavailable || !isUnavailable(error)) throw error;
      if (isTimeout(error)) throw new Unavailable('postgres_timeout', 'Postgres ended a statement', error);
      throw new Unavailable('postgres_unavailable', `Postgres is unavailable: ${String(error)}`, error);
    } finally {
      this.#giveBack(connection);
    }
  }

  #create(permanent: boolean): Connection {
    const connection = { busy: false, open: false, permanent } as Connection;
    connection.sql = this.#client(connection);
    return connection;
  }

  #client(connection: Connection): postgres.Sql {
    const client = postgres(this.#options.url, {
      ...connectionOptions(this.#options.name, this.#options),
      max: 1,
      idle_timeout: connection.permanent ? 0 : IDLE_SECONDS,
      onclose: () => {
        if (connection.sql !== client) return;
        connection.open = false;
        // What the transaction runs next would be committed alone, on a new connection. A client that has ended refuses it.
        if (this.#transacting.delete(client)) this.#replace(connection);
        if (connection.permanent && !connection.busy) this.#reopen(connection);
      },
    });
    return client;
  }

  /** Holds the connection while it is being opened; a statement that needs one meanwhile takes another. */
  #reopen(connection: Connection): void {
    if (this.#stopping.signal.aborted) return;
    connection.busy = true;
    void this.#probe(connection).then(() => this.#giveBack(connection));
  }

  async #probe(connection: Connection): Promise<void> {
    try {
      await withDeadline(connection.sql`select 1`, this.#options.deadlineMs, () => {
        this.#replace(connection);
        return new Unavailable('postgres_timeout', 'a connection did not open in time');
      });
      connection.open = true;
    } catch {
      await sleep(backoffMs(1, { firstMs: 500, maxMs: 500, jitter: 0.5 }), this.#stopping.signal);
    }
  }

  async #acquire(deadlineMs: number): Promise<Connection> {
    if (this.#stopping.signal.aborted) throw new Unavailable('postgres_stopped', 'the pool is stopped');
    const idle = this.#connections.find(({ busy }) => !busy);
    if (idle !== undefined) {
      idle.busy = true;
      return idle;
    }
    if (this.#waiting.length >= MAX_WAITING) {
      this.#options.events.publish('pool.exhausted', {});
      throw new Unavailable('postgres_busy', `${MAX_WAITING} statements wait for a connection already`);
    }
    const { promise, resolve } = Promise.withResolvers<Connection>();
    this.#waiting.push(resolve);
    return withDeadline(promise, deadlineMs, () => {
      const place = this.#waiting.indexOf(resolve);
      if (place >= 0) this.#waiting.splice(place, 1);
      this.#options.events.publish('pool.exhausted', {});
      return new Unavailable('postgres_busy', `no connection was free within ${deadlineMs} ms`);
    });
  }

  #giveBack(connection: Connection): void {
    const next = this.#waiting.shift();
    if (next !== undefined) {
      next(connection);
      return;
    }
    connection.busy = false;
    if (connection.permanent && !connection.open) this.#reopen(connection);
  }

  #replace(connection: Connection): void {
    void connection.sql.end({ timeout: 0 });
    connection.open = false;
    connection.sql = this.#client(connection);
  }
}
