/**
 * The clients through which a caller can have a statement of ours run inside of its own transaction.
 *
 * The port is `{ query(text, values) }`. postgres.js, Knex and Prisma name their method otherwise and are known by it; Drizzle and Kysely take a query only
 * from their own `sql` tag, so the caller passes the tag on (docs/transactions.md has each). Uses nothing that a client does not document. Must not know
 * what the statement does.
 */
import { Misconfigured } from '../base/errors.ts';
import type { Statement } from './statements/insert.ts';

type Rows = readonly unknown[];

/** `pg`'s clients and TypeORM's managers and query runners have this shape, and anybody can give it to what they use. */
export interface QueryClient {
  /** The text has `$1`, `$2`, … Answers with rows, or with `{ rows }`. */
  query(text: string, values: unknown[]): PromiseLike<unknown>;
}

/** A template tag that runs the query: `(...query) => transaction.execute(sql(...query))`. Answers with rows, or with `{ rows }`. */
export type QueryTag = (strings: TemplateStringsArray, ...values: unknown[]) => PromiseLike<unknown>;

/** `sql` of postgres.js, whatever its version. */
export interface PostgresJsClient {
  unsafe(text: string, values?: unknown[]): PromiseLike<unknown>;
}

export interface PrismaClient {
  $queryRawUnsafe(text: string, ...values: unknown[]): PromiseLike<unknown>;
}

export interface KnexClient {
  raw(text: string, values: unknown): PromiseLike<unknown>;
}

/** What a caller's transaction may be. */
export type CallersClient = QueryClient | QueryTag | PostgresJsClient | PrismaClient | KnexClient;

/** Runs the statement through the caller's client. Throws what the client throws; `Misconfigured` where it is none that is known. */
export async function queryThrough<Row>(client: CallersClient, statement: Statement): Promise<Row[]> {
  return rowsOf(await answerOf(client, statement)) as Row[];
}

async function answerOf(client: CallersClient, { text, values }: Statement): Promise<unknown> {
  if (has(client, 'unsafe')) return await queryThroughPostgresJs(client, { text, values });
  if (has(client, '$queryRawUnsafe')) return await client.$queryRawUnsafe(text, ...values);
  if (has(client, 'raw')) return await client.raw(questionMarks(text), values);
  if (has(client, 'query')) return await client.query(text, values);
  if (typeof client === 'function') return await client(templateOf(text), ...values);
  throw new Misconfigured(
    'the transaction is no client that Warren knows: give it a method query(text, values), or a template tag (docs/transactions.md)',
  );
}

/** Drizzle's transactions have a `query` too, which is no method. */
function has<Method extends string>(
  client: CallersClient,
  method: Method,
): client is Extract<CallersClient, Record<Method, unknown>> {
  return typeof (client as unknown as Record<string, unknown>)[method] === 'function';
}

/**
 * In a transaction under a savepoint, which fails where the transaction has ended. Without it postgres.js, which opens a lost connection again, would
 * commit alone what comes next.
 */
async function queryThroughPostgresJs(
  client: PostgresJsClient,
  { text, values }: Statement,
): Promise<unknown> {
  if (!hasSavepoints(client)) return await client.unsafe(text, values);
  return await client.savepoint((savepoint) => savepoint.unsafe(text, values));
}

interface PostgresJsTransaction extends PostgresJsClient {
  savepoint(run: (savepoint: PostgresJsClient) => PromiseLike<unknown>): Promise<unknown>;
}

function hasSavepoints(client: PostgresJsClient): client is PostgresJsTransaction {
  return 'savepoint' in client;
}

/** Each `$n` stands once in a statement, in order. Knex writes `?` for a value and `\?` for a question mark. */
function questionMarks(text: string): string {
  return text.replaceAll('?', String.raw`\?`).replaceAll(PLACEHOLDER, '?');
}

function templateOf(text: string): TemplateStringsArray {
  const strings = text.split(PLACEHOLDER);
  return Object.assign(strings, { raw: strings });
}

const PLACEHOLDER = /\$\d+/g;

/** `pg` and what is built on it answer with an object, the others with the rows. */
function rowsOf(answer: unknown): Rows {
  if (Array.isArray(answer)) return answer;
  const rows = (answer as { rows?: unknown } | null | undefined)?.rows;
  if (Array.isArray(rows)) return rows;
  throw new Misconfigured('the query of the transaction must answer with rows, or with { rows }');
}
