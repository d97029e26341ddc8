/**
 * The indexes of texts, which an operator may have made (search-index.ts): what they hold, which jobs they find, and whether they are there.
 *
 * Guarantees: no job that has the text is left out; what is found may still not have it, or not where it is shown, so that `matches` has to hold too. Where an
 * index is missing the answer is the same, and slow.
 */
import type { Sql } from '../database.ts';
import type { Fragment } from './parts.ts';

/** GiST refuses a row whose trigrams take more than a page: arguments of more bytes are not in the index of trigrams. It keeps up to three bytes for each of these. */
const MAX_INDEXED_BYTES = 1_500;
const ARGUMENTS = 'args::text';
const MESSAGES = "jsonb_path_query_array(errors, '$[*].message')::text";
const HAS_ERRORS = "errors <> '[]'";
const IS_SHORT = `octet_length(${ARGUMENTS}) <= ${MAX_INDEXED_BYTES}`;
const IS_LONG = `octet_length(${ARGUMENTS}) > ${MAX_INDEXED_BYTES}`;

/** A text of fewer characters has no trigram. */
export const MIN_INDEXED_CHARACTERS = 3;

/**
 * Each index by name: what follows `create index … on warren.jobs`. `trigrams`: the schema of the extension pg_trgm, quoted.
 * Trigrams of arguments are kept by GiST, one entry for a row: GIN has one for each trigram, and each job writes them three times.
 */
export const textIndexes: Readonly<Record<string, (trigrams: string) => string>> = {
  jobs_text_of_args: (trigrams) =>
    `using gist ((${ARGUMENTS}) ${trigrams}.gist_trgm_ops (siglen = 256)) where ${IS_SHORT}`,
  jobs_long_args: () => `(id) where ${IS_LONG}`,
  jobs_text_of_errors: (trigrams) => `using gin ((${MESSAGES}) ${trigrams}.gin_trgm_ops) where ${HAS_ERRORS}`,
};

const NAMES = JSON.stringify(Object.keys(textIndexes));

/** True for every job that can have what the pattern of `ilike` says, and for few others. Indexes: all of these, together. */
export function mayHaveText(sql: Sql, pattern: string): Fragment {
  return sql`(${sql.unsafe(IS_SHORT)} and ${sql.unsafe(ARGUMENTS)} ilike ${pattern}::text
    or ${sql.unsafe(IS_LONG)}
    or ${sql.unsafe(HAS_ERRORS)} and ${sql.unsafe(MESSAGES)} ilike ${pattern}::text)`;
}

export interface IndexState {
  name: string;
  /** `invalid`: it is being built, or building it has failed. */
  state: 'valid' | 'invalid' | 'missing';
  bytes: number;
}

/** Each of them, whether it is there or not. */
export async function findTextIndexes(sql: Sql): Promise<IndexState[]> {
  return await sql<IndexState[]>`
    select name, case when indisvalid then 'valid' when indexrelid is not null then 'invalid' else 'missing' end as state,
      coalesce(pg_relation_size(indexrelid), 0)::float8 as bytes
    from jsonb_array_elements_text(${NAMES}::text::jsonb) as name left join pg_index on indexrelid = to_regclass('warren.' || name)
    order by name`;
}

/**
 * Bounds the statements of this transaction, in milliseconds, and says whether all of the indexes can be used. The planner does not know how few jobs have long
 * arguments: it would walk along the primary key, or begin with processes to help it. Neither is allowed here.
 */
export async function beginTextSearch(sql: Sql, timeoutMs: number): Promise<boolean> {
  const [row] = await sql<{ areUsable: boolean }[]>`
    select set_config('statement_timeout', ${String(timeoutMs)}, true), set_config('enable_indexscan', 'off', true),
      set_config('max_parallel_workers_per_gather', '0', true), bool_and(coalesce(indisvalid, false)) as "areUsable"
    from jsonb_array_elements_text(${NAMES}::text::jsonb) as name left join pg_index on indexrelid = to_regclass('warren.' || name)`;
  return row?.areUsable === true;
}
