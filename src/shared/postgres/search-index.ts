/**
 * Makes and drops the indexes of texts, which no migration makes: every job pays for them. On a connection of its own, as the owner of the schema.
 *
 * Guarantees: nobody is locked out meanwhile; what a broken build has left is replaced; either can be done again. The extension pg_trgm, where it is not there,
 * is made in the schema `warren`, and stays.
 */
import postgres from 'postgres';
import { commandOptions } from './connection-options.ts';
import type { IndexState } from './statements/text-indexes.ts';
import { findTextIndexes, textIndexes } from './statements/text-indexes.ts';

export interface SearchIndex {
  /** `ready`: searches use them. `none`: there are none. `incomplete`: some are missing or invalid, and none is used. */
  state: 'ready' | 'none' | 'incomplete';
  /** Of all of them. */
  bytes: number;
  indexes: IndexState[];
}

/** Takes minutes for a million jobs, and waits for the transactions that are open. Throws what Postgres says. */
export async function createSearchIndex(databaseUrl: string): Promise<SearchIndex> {
  return await onConnection(databaseUrl, async (sql) => {
    const trigrams = await provideTrigrams(sql);
    for (const { name, state } of await findTextIndexes(sql)) {
      if (state === 'valid') continue;
      if (state === 'invalid') await dropIndex(sql, name);
      await sql.unsafe(`create index concurrently ${name} on warren.jobs ${textIndexes[name]?.(trigrams)}`);
    }
    await sql`analyze warren.jobs`; // how rare a text is the planner knows only of an index that is there
    return await lookAt(sql);
  });
}

/** Throws what Postgres says. */
export async function dropSearchIndex(databaseUrl: string): Promise<SearchIndex> {
  return await onConnection(databaseUrl, async (sql) => {
    for (const { name, state } of await findTextIndexes(sql))
      if (state !== 'missing') await dropIndex(sql, name);
    return await lookAt(sql);
  });
}

/** Throws what Postgres says. */
export async function findSearchIndex(databaseUrl: string): Promise<SearchIndex> {
  return await onConnection(databaseUrl, lookAt);
}

async function lookAt(sql: postgres.Sql): Promise<SearchIndex> {
  const indexes = await findTextIndexes(sql);
  const areAll = (state: IndexState['state']) => indexes.every((index) => index.state === state);
  return {
    state: areAll('valid') ? 'ready' : areAll('missing') ? 'none' : 'incomplete',
    bytes: indexes.reduce((sum, { bytes }) => sum + bytes, 0),
    indexes,
  };
}

/** The schema that has the operators of pg_trgm, quoted. */
async function provideTrigrams(sql: postgres.Sql): Promise<string> {
  await sql`create extension if not exists pg_trgm with schema warren`;
  const [row] = await sql<{ schema: string }[]>`
    select quote_ident(nspname) as schema from pg_extension join pg_namespace namespace on namespace.oid = extnamespace where extname = 'pg_trgm'`;
  if (row === undefined) throw new Error('the extension pg_trgm is not there');
  return row.schema;
}

async function dropIndex(sql: postgres.Sql, name: string): Promise<void> {
  await sql.unsafe(`drop index concurrently if exists warren.${name}`);
}

async function onConnection<T>(databaseUrl: string, work: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const sql = postgres(databaseUrl, commandOptions('warren-search-index'));
  try {
    return await work(sql);
  } finally {
    await sql.end({ timeout: 2 });
  }
}
