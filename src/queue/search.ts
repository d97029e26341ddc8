/**
 * Pages of the jobs that match a filter, newest first, however many jobs there are and however few match.
 *
 * Guarantees: a page takes a fixed time: what the kept counts rule out is not looked for; where few jobs are in the states that are asked for, all of them
 * are looked at, by the indexes of the states; else the table is walked from the newest job on, part by part, and when the time is over the page ends where
 * the walk has come to, full or not. The next page goes on there, so that all pages together have every job that matches. No index is kept for it: a job
 * pays nothing for being found. Where an operator has made the indexes of texts, a text that the first part of the walk did not find often enough is looked for by
 * them; where that takes too long, because many jobs have it, the walk goes on.
 */
import { Unavailable } from '#shared/base/errors.ts';
import type { SearchFilter } from '#shared/job/job-filter.ts';
import type { ListedJob } from '#shared/job/listed-job.ts';
import type { JobState } from '#shared/job/transitions.ts';
import type { Database } from '#shared/postgres/database.ts';
import { isTimeout } from '#shared/postgres/failures.ts';
import type { QueueCount } from '#shared/postgres/statements/counts.ts';
import { countMatchingJobs } from '#shared/postgres/statements/counts.ts';
import { listJobs } from '#shared/postgres/statements/list.ts';
import { beginTextSearch, MIN_INDEXED_CHARACTERS } from '#shared/postgres/statements/text-indexes.ts';
import { findLatestId } from '#shared/postgres/statements/waiting.ts';

const WALK_MS = 80;
const BY_TEXT_MS = 50;
/** Ids in the first part of a walk; the next ones are as long as the time suffices for. */
const FIRST_PART = 4_000;
const GROWTH = 4;
/** So few jobs that all of them are looked at. */
const FEW = 5_000;
/** Jobs in this state are in no index but that of the ids. */
const UNINDEXED: JobState = 'completed';

export interface Page {
  /** Newest first. */
  jobs: ListedJob[];
  /** Only jobs with a smaller id come after it. Null: there are none. */
  next: string | null;
}

/** `before`: only jobs with a smaller id. `limit`: jobs in the page at most. */
export interface PageOptions {
  before: string | undefined;
  limit: number;
  /** No part of a walk is begun later than that, in milliseconds. Defaults to 80. */
  walkMs?: number;
  /** What the search by the indexes of texts may take besides, in milliseconds. Defaults to 50. */
  byTextMs?: number;
}

export async function searchJobs(
  database: Database,
  filter: SearchFilter,
  { before, limit, walkMs = WALK_MS, byTextMs = BY_TEXT_MS }: PageOptions,
): Promise<Page> {
  const page = { before, limit: limit + 1 };
  if (Object.values(filter).every((member) => member === undefined)) {
    return toPage(await database.query((sql) => listJobs(sql, filter, page)), limit);
  }
  const counts = await database.query((sql) => countMatchingJobs(sql, filter));
  if (counts.length === 0) return { jobs: [], next: null };
  if (areFew(filter, counts)) {
    return toPage(await database.query((sql) => listJobs(sql, filter, { ...page, by: 'state' })), limit);
  }
  return await walk(database, filter, { before, limit, walkMs, byTextMs });
}

/** Whether the jobs in these states are few, whatever their type and queue: so many are looked at. */
function areFew({ state }: SearchFilter, counts: readonly QueueCount[]): boolean {
  if (state === undefined || [state].flat().includes(UNINDEXED)) return false;
  return counts.reduce((sum, { count }) => sum + count, 0) <= FEW;
}

async function walk(
  database: Database,
  filter: SearchFilter,
  { before, limit, walkMs, byTextMs }: Required<PageOptions>,
): Promise<Page> {
  const jobs: ListedJob[] = [];
  let above = before === undefined ? BigInt(await database.query(findLatestId)) + 1n : BigInt(before);
  let part = FIRST_PART;
  let leftMs = walkMs;
  let mayAskIndexes = (filter.q?.length ?? 0) >= MIN_INDEXED_CHARACTERS;
  while (above > 0n) {
    const from = above - BigInt(part);
    const partStartedAt = performance.now();
    const page = { before: String(above), from: String(from), limit: limit + 1 - jobs.length };
    jobs.push(...(await database.query((sql) => listJobs(sql, filter, page))));
    if (jobs.length > limit) return toPage(jobs, limit);
    above = from;
    const partMs = performance.now() - partStartedAt;
    leftMs -= partMs;
    if (mayAskIndexes && above > 0n) {
      mayAskIndexes = false;
      const rest = { before: String(above), limit: limit + 1 - jobs.length };
      const older = await findByText(database, filter, { ...rest, timeoutMs: byTextMs });
      if (older !== undefined) return toPage([...jobs, ...older], limit);
    }
    if (leftMs <= 0) break;
    const idsPerMs = part / Math.max(0.5, partMs);
    part = Math.max(FIRST_PART, Math.floor(Math.min(part * GROWTH, idsPerMs * leftMs)));
  }
  return { jobs, next: above > 0n ? String(above) : null };
}

/** By the indexes of texts. Undefined where they are not there, and where it takes too long. */
async function findByText(
  database: Database,
  filter: SearchFilter,
  { timeoutMs, ...rest }: { before: string; limit: number; timeoutMs: number },
): Promise<ListedJob[] | undefined> {
  try {
    return await database.transaction(async (sql) => {
      const areUsable = await beginTextSearch(sql, timeoutMs);
      return areUsable ? await listJobs(sql, filter, { ...rest, by: 'text' }) : undefined;
    });
  } catch (error) {
    if (error instanceof Unavailable && isTimeout(error.cause)) return undefined;
    throw error;
  }
}

function toPage(found: readonly ListedJob[], limit: number): Page {
  const jobs = found.slice(0, limit);
  return { jobs, next: found.length > limit ? (jobs.at(-1)?.id ?? null) : null };
}
