/**
 * The clients through which a caller can have a statement of ours run inside of its own transaction.
 *
 * postgres.js, `pg` and TypeORM and Prisma are known by their shape; everything else fits through `{ query(text, values) }` (docs/transactions.md has the
 * line for Drizzle, Kysely and Knex). Must not know what the statement does.
 */
import type postgres from 'postgres';
import { Misconfigured } from '../base/errors.ts';
import type { Sql } from './database.ts';
import type { Statement } from './statements/insert.ts';

type Rows = readonly unknown[];

/** `pg`'s clients and TypeORM's managers and query runners have this shape, and anybody can give it to what they use. */
export interface QueryClient {
  // biome-ignore lint/suspicious/noExplicitAny: each client has types of its own for values and answers
  query(text: string, values: any[]): PromiseLike<any>;
}

export interface PrismaClient {
  // biome-ignore lint/suspicious/noExplicitAny: as Prisma declares it
  $queryRawUnsafe(text: string, ...values: any[]): PromiseLike<any>;
}

/** What a caller's transaction may be. */
export type CallersClient = Sql | QueryClient | PrismaClient;

/** Runs the statement through the caller's client. Throws what the client throws; `Misconfigured` where it is none that is known. */
export async function queryThrough<Row>(client: CallersClient, { text, values }: Statement): Promise<Row[]> {
  if ('unsafe' in client) return (await queryThroughPostgresJs(client, { text, values })) as Row[];
  if ('$queryRawUnsafe' in client) return await client.$queryRawUnsafe(text, ...values);
  if ('query' in client) return rowsOf(await client.query(text, values)) as Row[];
  throw new Misconfigured(
    'the transaction is no client that Warren knows: give it a method query(text, values)',
  );
}

/**
 * In a transaction under a savepoint, which fails where the transaction has ended. Without it postgres.js, which opens a lost connection again, would
 * commit alone what comes next.
 */
async function queryThroughPostgresJs(sql: Sql, { text, values }: Statement): Promise<Rows> {
  if (!('savepoint' in sql)) return await sql.unsafe(text, values);
  return await (sql as postgres.TransactionSql).savepoint((savepoint) => savepoint.unsafe(text, values));
}

/** `pg` answers with an object, TypeORM with the rows. */
function rowsOf(answer: unknown): Rows {
  if (Array.isArray(answer)) return answer;
  const { rows } = answer as { rows?: unknown };
  if (Array.isArray(rows)) return rows;
  throw new Misconfigured(
    'the method query(text, values) of the transaction must answer with rows, or { rows }',
  );
}
