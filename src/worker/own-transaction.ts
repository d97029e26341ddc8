/**
 * A job's own transaction (`context.transaction`): its effects and the record of its outcome, committed as one.
 *
 * Guarantees: the outcome is accepted as any other (running, fence, owner), in the transaction of the effects, so that both are there or both are not;
 * an attempt that has lost its claim leaves no effect; where the answer to the commit is lost, the job's row tells, before the handler goes on. Once
 * committed, the attempt has ended, whatever its handler does. Must not know how outcomes are recorded.
 */
import { errorMessage, Unavailable } from '#shared/base/errors.ts';
import type { TransactionSql } from '#shared/job/transaction.ts';
import { target } from '#shared/job/transitions.ts';
import type { Sql } from '#shared/postgres/database.ts';
import type { HandlerClient } from '#shared/postgres/handler-client.ts';
import type { Outcome, RecordedJob } from '#shared/postgres/statements/record.ts';
import { findRecorded, recordOutcomes } from '#shared/postgres/statements/record.ts';
import type { OpenTransaction, TransactionClients } from '#shared/postgres/transaction-clients.ts';
import type { Abort } from './abort.ts';
import type { Committed } from './ending.ts';

/** What a process has for the transactions of its jobs. */
export interface JobTransactions {
  clients: TransactionClients;
  /** In the transaction that has this mark. Undefined: refused. */
  recordWithin(sql: Sql, outcome: Outcome, mark: string): Promise<RecordedJob | undefined>;
  /** After a commit whose answer was lost. Undefined: it was not made, or nobody knows. */
  findRecorded(outcome: Outcome): Promise<RecordedJob | undefined>;
}

/** In a worker's own process. */
export function createJobTransactions(
  clients: TransactionClients,
  completer: Omit<JobTransactions, 'clients'>,
): JobTransactions {
  return {
    clients,
    recordWithin: (sql, outcome, mark) => completer.recordWithin(sql, outcome, mark),
    findRecorded: (outcome) => completer.findRecorded(outcome),
  };
}

/** In another process, for a job whose worker has had these numbers. */
export function createTransactionsFor(
  owners: readonly string[],
  { sql, transactions: clients }: { sql: HandlerClient; transactions: TransactionClients },
): JobTransactions {
  return {
    clients,
    recordWithin: async (own, outcome, mark) =>
      (await recordOutcomes(own, [outcome], owners, mark)).get(outcome.id),
    findRecorded: (outcome) => findRecorded(sql, outcome).catch(() => undefined), // the worker's own record is refused then
  };
}

/** For a job that stands in no database: its effects are committed, and there is nothing to record. */
export function createUnrecordedTransactions(clients: TransactionClients): JobTransactions {
  return {
    clients,
    recordWithin: async (_sql, { act }) => ({ state: target(act) ?? 'available', gates: null }),
    findRecorded: async () => undefined,
  };
}

export interface OwnTransactionOptions {
  transactions: JobTransactions;
  abort: Abort;
  /** The outcome of the attempt, from what the work returned. Throws where that cannot be the output of a job. */
  toOutcome: (returned: unknown) => Outcome;
}

export class OwnTransaction {
  readonly #options: OwnTransactionOptions;
  #open: OpenTransaction | undefined;
  #running: Promise<unknown> | undefined;
  #committed: Committed | undefined;

  constructor(options: OwnTransactionOptions) {
    this.#options = options;
  }

  /** What it has recorded; undefined where it has not been committed. */
  get committed(): Committed | undefined {
    return this.#committed;
  }

  /** Resolves with what `work` returns when effects and outcome are committed. Where it throws, neither is, and it may be called again. */
  async run<Output>(work: (sql: TransactionSql) => Promise<Output>): Promise<Output> {
    if (this.#committed !== undefined) throw new Error('the job has ended with its transaction already');
    if (this.#running !== undefined) throw new Error('the job is in its transaction already');
    const running = this.#run(work);
    this.#running = running;
    try {
      return await running;
    } finally {
      this.#running = undefined;
    }
  }

  /** Resolves when no transaction is under way. Never rejects. */
  async idle(): Promise<void> {
    await this.#running?.catch(() => {});
  }

  /** Ends one that is under way, and waits until it is known whether it was committed. */
  async abandon(): Promise<void> {
    this.#open?.abandon();
    await this.idle();
  }

  async #run<Output>(work: (sql: TransactionSql) => Promise<Output>): Promise<Output> {
    const { transactions, abort } = this.#options;
    return await transactions.clients.run(async (transaction) => {
      this.#open = transaction;
      try {
        const returned = await work(transaction.sql);
        await this.#commit(transaction, returned);
        return returned;
      } catch (error) {
        if (!transaction.isLost || error instanceof Unavailable) throw error;
        throw new Unavailable(
          'postgres_unavailable',
          `the transaction was lost: ${errorMessage(error)}`,
          error,
        );
      } finally {
        this.#open = undefined;
      }
    }, abort.signal);
  }

  async #commit(transaction: OpenTransaction, returned: unknown): Promise<void> {
    const { transactions, abort, toOutcome } = this.#options;
    const outcome = toOutcome(returned);
    const recorded = await transactions.recordWithin(transaction.sql, outcome, transaction.mark);
    if (recorded === undefined) {
      if (!transaction.isLost) abort.abort('lost');
      throw new Error('the attempt has lost its job, or its transaction had ended: nothing was committed');
    }
    try {
      await transaction.commit();
    } catch (error) {
      const found = transaction.isLost ? await transactions.findRecorded(outcome) : undefined;
      if (found === undefined) throw error;
      this.#committed = { outcome, recorded: found };
      return;
    }
    this.#committed = { outcome, recorded };
  }
}
