/**
 * The connections on which jobs have transactions of their own: each is one postgres.js client with one connection, lent to one transaction at a time.
 *
 * Guarantees: opened by the first transaction that needs them, at most `max`, closed when they idle. A connection that is lost takes its client with it:
 * postgres.js opens a lost connection again and would commit alone what comes next, so a client that has lost its connection runs nothing any more.
 * Must not know what the transactions are for.
 */
import { randomUUID } from 'node:crypto';
import postgres from 'postgres';
import { aborted } from '../base/backoff.ts';
import { errorMessage, Unavailable } from '../base/errors.ts';
import type { TransactionSql } from '../job/transaction.ts';
import type { HandlerClientOptions } from './handler-client.ts';
import { handlerClientOptions, IDLE_SECONDS } from './handler-client.ts';

/** A setting that only the transaction has: a statement which finds its value runs inside of that transaction, and on no other connection. */
export const TRANSACTION_MARK = 'warren.job_transaction';

/** What leads out of the transaction, or ends it. */
const OUTSIDE = new Set<PropertyKey>(['begin', 'reserve', 'end', 'close', 'listen', 'subscribe']);

/** A connection that is lent. */
class Connection {
  readonly client: postgres.Sql;
  isLost = false;
  #idle: NodeJS.Timeout | undefined;

  constructor(options: HandlerClientOptions) {
    this.client = postgres(options.url, {
      ...handlerClientOptions(options),
      max: 1,
      idle_timeout: 0, // it would close one whose transaction runs no statement for as long
      // Called in the turn in which the connection closes. Not typed: an option that postgres.js has and does not document.
      ...{ onclose: () => this.lose() },
    });
  }

  /** It is lent to nobody. */
  rest(ms: number): void {
    this.#idle = setTimeout(() => this.lose(), ms);
  }

  /** It is lent. */
  wake(): void {
    clearTimeout(this.#idle);
  }

  /** Ends it, whatever it does; its transaction is rolled back, unless its commit is under way. */
  lose(): void {
    this.isLost = true;
    this.wake();
    void this.client.end({ timeout: 0 });
  }
}

/** A transaction that has begun. */
export class OpenTransaction {
  /** The value of `TRANSACTION_MARK` in it. */
  readonly mark: string;
  readonly sql: TransactionSql;
  readonly connection: Connection;
  #isCommitted = false;
  #savepoints = 0;

  constructor(connection: Connection, mark: string) {
    this.connection = connection;
    this.mark = mark;
    this.sql = this.#guard();
  }

  get isCommitted(): boolean {
    return this.#isCommitted;
  }

  /** Whether its connection is gone: nobody here knows whether a commit under way was made. */
  get isLost(): boolean {
    return this.connection.isLost;
  }

  /** Throws where it was rolled back instead, because a statement had failed. */
  async commit(): Promise<void> {
    const { command } = await this.connection.client.unsafe('commit');
    this.#isCommitted = command === 'COMMIT';
    if (!this.#isCommitted) throw new Error('a statement of the transaction had failed: it was rolled back');
  }

  /** Never rejects. */
  async rollBack(): Promise<void> {
    if (this.isLost) return;
    await this.connection.client.unsafe('rollback').catch(() => this.connection.lose());
  }

  /** Ends it at once. */
  abandon(): void {
    this.connection.lose();
  }

  #guard(): TransactionSql {
    const savepoint = this.#savepoint.bind(this);
    const guarded = new Proxy(this.connection.client, {
      get(client, name) {
        if (name === 'savepoint') return savepoint;
        if (OUTSIDE.has(name))
          throw new Error(`sql.${String(name)} has no place in the transaction of a job`);
        return Reflect.get(client, name);
      },
    });
    return guarded as unknown as TransactionSql;
  }

  async #savepoint<T>(work: (sql: TransactionSql) => Promise<T>): Promise<T> {
    const { client } = this.connection;
    this.#savepoints += 1;
    const name = `s${this.#savepoints}`;
    await client.unsafe(`savepoint ${name}`);
    try {
      const result = await work(this.sql);
      await client.unsafe(`release savepoint ${name}`);
      return result;
    } catch (error) {
      await client.unsafe(`rollback to savepoint ${name}`);
      throw error;
    }
  }
}

export class TransactionClients {
  readonly #options: HandlerClientOptions;
  readonly #idle: Connection[] = [];
  readonly #lent = new Set<Connection>();
  /** At most as many as handlers run here. */
  readonly #waiting: (() => void)[] = [];

  constructor(options: HandlerClientOptions) {
    this.#options = options;
  }

  /**
   * Runs `work` in a transaction, which it commits; otherwise it is rolled back. Throws `Unavailable` where Postgres cannot be reached, or no connection
   * was free before the signal aborted.
   */
  async run<T>(work: (transaction: OpenTransaction) => Promise<T>, signal: AbortSignal): Promise<T> {
    const transaction = await this.#begin(signal);
    try {
      return await work(transaction);
    } finally {
      if (!transaction.isCommitted) await transaction.rollBack();
      this.#giveBack(transaction.connection);
    }
  }

  /** Ends every connection after at most two seconds. */
  async close(): Promise<void> {
    for (const connection of this.#idle) connection.wake();
    await Promise.all([...this.#idle, ...this.#lent].map(({ client }) => client.end({ timeout: 2 })));
  }

  async #begin(signal: AbortSignal): Promise<OpenTransaction> {
    for (;;) {
      const { connection, isNew } = await this.#acquire(signal);
      try {
        const mark = randomUUID();
        await connection.client.unsafe(
          `begin; select pg_catalog.set_config('${TRANSACTION_MARK}', '${mark}', true)`,
        );
        return new OpenTransaction(connection, mark);
      } catch (error) {
        connection.lose();
        this.#giveBack(connection);
        if (isNew)
          throw new Unavailable('postgres_unavailable', `no transaction: ${errorMessage(error)}`, error);
      }
    }
  }

  async #acquire(signal: AbortSignal): Promise<{ connection: Connection; isNew: boolean }> {
    while (this.#lent.size >= this.#options.max) await this.#freed(signal);
    const idle = this.#popIdle();
    const connection = idle ?? new Connection(this.#options);
    this.#lent.add(connection);
    return { connection, isNew: idle === undefined };
  }

  async #freed(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    await Promise.race([promise, aborted(signal)]);
    if (!signal.aborted) return;
    const place = this.#waiting.indexOf(resolve);
    if (place >= 0) this.#waiting.splice(place, 1);
    else this.#waiting.shift()?.(); // it was this one's turn
    throw new Unavailable(
      'postgres_busy',
      'the attempt was over before a connection was free for its transaction',
    );
  }

  #popIdle(): Connection | undefined {
    for (;;) {
      const connection = this.#idle.pop();
      connection?.wake();
      if (connection === undefined || !connection.isLost) return connection;
    }
  }

  #giveBack(connection: Connection): void {
    this.#lent.delete(connection);
    if (!connection.isLost) {
      this.#idle.push(connection);
      connection.rest((this.#options.idleSeconds ?? IDLE_SECONDS) * 1_000);
    }
    this.#waiting.shift()?.();
  }
}
