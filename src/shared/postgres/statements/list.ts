/**
 * Lists of jobs for people. Reads only; nothing on the path of a job waits for them.
 *
 * Guarantees: a page is bounded in bytes, in the server already, whatever its jobs carry: 200 jobs with a megabyte of arguments each are no
 * more than two or three megabytes on the way here.
 */
import type { SearchFilter } from '../../job/job-filter.ts';
import type { ListedJob } from '../../job/listed-job.ts';
import { MAX_LISTED_BYTES } from '../../job/listed-job.ts';
import type { Sql } from '../database.ts';
import { matches, toPattern } from './job-filter.ts';
import { rareColumns } from './parts.ts';
import { mayHaveText } from './text-indexes.ts';

/** Characters of an error's message where a job's errors are too many. */
const MAX_LISTED_MESSAGE = 1_000;

export interface ListOptions {
  /** Only jobs with a smaller id. */
  before?: string | undefined;
  /** Only jobs with this id or a larger one. */
  from?: string | undefined;
  limit: number;
  /**
   * `id`: a walk along the primary key. `state`: few jobs are in the states of the filter, and all of them are looked at, by the partial indexes of the
   * states. `text`: by the indexes of texts (text-indexes.ts), if they are there. Defaults to `id`.
   */
  by?: 'id' | 'state' | 'text';
}

/**
 * Jobs, newest first. What is stored in more bytes than a list shows is not even
 * read; the rest may be stored compressed and is measured as text.
 */
export async function listJobs(
  sql: Sql,
  filter: SearchFilter,
  { before, from, limit, by = 'id' }: ListOptions,
): Promise<ListedJob[]> {
  const isLarge = (column: 'args' | 'output' | 'errors') => sql`
    case when pg_column_size(${sql(column)}) > ${MAX_LISTED_BYTES} then true
      else coalesce(octet_length(${sql(column)}::text) > ${MAX_LISTED_BYTES}, false) end`;
  return await sql<ListedJob[]>`
    with page as (
      select * from (
        select * from warren.jobs
        where ${matches(sql, filter)}
          ${by === 'text' ? sql`and ${mayHaveText(sql, toPattern(filter.q ?? ''))}` : sql``}
          ${before === undefined ? sql`` : sql`and id < ${before}::text::bigint`}
          ${from === undefined ? sql`` : sql`and id >= ${from}::text::bigint`}
        ${by === 'id' ? sql`` : sql`offset 0`} -- the planner would walk the whole table in the order of the ids, believing that many match
      ) as matching
      order by id desc limit ${limit}
    ),
    measured as materialized (
      select id, ${isLarge('args')} as args, ${isLarge('output')} as output, ${isLarge('errors')} as errors
      from page
    )
    select id, type, queue, state, attempt, max_attempts as "maxAttempts", run_at as "runAt", created_at as "createdAt",
      started_at as "startedAt", finished_at as "finishedAt", ${rareColumns(sql)},
      case when large.args then null else page.args end as args,
      case when large.output then null else page.output end as output,
      case when not large.errors then page.errors
        else jsonb_build_array(jsonb_build_object(
          'attempt', page.errors -> -1 -> 'attempt', 'at', page.errors -> -1 -> 'at',
          'message', left(page.errors -> -1 ->> 'message', ${MAX_LISTED_MESSAGE}))) end as errors,
      to_jsonb(array_remove(array[
        case when large.args then 'args' end, case when large.output then 'output' end,
        case when large.errors then 'errors' end], null)) as truncated
    from page join measured large using (id)
    order by id desc`;
}
