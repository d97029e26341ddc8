/**
 * Deletes what is kept no longer: jobs some time after their end, idempotency keys, unique keys whose time is over, what became of ticks, batches, workers that are gone,
 * places at gates that nobody has given up.
 *
 * Guarantees: only jobs that have ended are deleted, each when its type says so or the settings of its own application, whichever one's worker this
 * is; an idempotency key is kept as long as the application says that keeps them longest, a tick as long as any job may be; a round looks at a bounded number of rows and waits for
 * nobody; with an archive, nothing is deleted that it has not taken; it works at most a fifth of the time, so that it is not in the way of the jobs, unless they come faster than that
 * deletes them. A pass begins at the oldest job and ends at the first
 * that is too young to be deleted; the next begins after a tenth of the shortest time that anything is kept, an hour later at most, and
 * later where the pass has walked past many jobs that are kept for longer: a short retention of one type does not have a large table walked all the time.
 */
import type { Retention } from '#shared/job/job.ts';
import { endStates } from '#shared/job/transitions.ts';
import type { Events } from '#shared/observe/events.ts';
import type { Database, Sql } from '#shared/postgres/database.ts';
import { pruneAudit } from '#shared/postgres/statements/audit.ts';
import { pruneBatches } from '#shared/postgres/statements/batches.ts';
import type { TypeRetention } from '#shared/postgres/statements/job-types.ts';
import { findRetention } from '#shared/postgres/statements/job-types.ts';
import type { OverdueJob, Pruned, PruneOptions } from '#shared/postgres/statements/pruning.ts';
import {
  deleteOverdueJobs,
  findOverdueJobs,
  pruneIdempotencyKeys,
  pruneJobs,
  prunePlaces,
  pruneRates,
  pruneUniquePeriods,
} from '#shared/postgres/statements/pruning.ts';
import { findJobs } from '#shared/postgres/statements/read.ts';
import { pruneTicks } from '#shared/postgres/statements/schedule-ticks.ts';
import { pruneWorkers } from '#shared/postgres/statements/workers.ts';
import type { Archive } from './archive.ts';
import type { Chore } from './maintenance.ts';
import { restAfter } from './pruning-pace.ts';

const HOUR_MS = 3_600_000;
/** Rows that a round looks at. */
const AT_ONCE = 1_000;
/** The rest after a pass, by the time that it has walked past jobs that are kept for longer. */
const REST_FACTOR = 4;
/** From the end of a pass to the next one, in milliseconds: this share of the shortest time that anything is kept, and so long at least. */
const PAUSE_SHARE = 0.1;
const MIN_PAUSE_MS = 10_000;
/** A round that deletes a smaller share of what it looks at has walked past jobs that are kept for longer. */
const WORTHWHILE_SHARE = 0.1;
const BEGINNING = '0';
/** What is handed to the archive at once: so many jobs, and so many bytes or a single job. */
const ARCHIVED_AT_ONCE = 200;
const ARCHIVED_BYTES = 4_194_304;
const FOR_EVER: Retention = { completed: null, cancelled: null, discarded: null };

interface Step {
  goesOn: boolean;
  /** The shortest time that anything is kept. */
  shortestMs: number;
  deleted: number;
  /** The largest id that there is. */
  newest: number;
}

type PruneOld = (sql: Sql, options: { keptMs: number; limit: number }) => Promise<number>;

export interface PrunerOptions {
  database: Database;
  events: Events;
  /** For job types that nobody has told of in full. */
  retention: Retention;
  idempotencyKeyMs: number;
  /** How long it is kept who did what; null: for ever. Defaults to for ever. */
  auditMs?: number | null;
  /** Takes jobs before they are deleted. Defaults to nobody. */
  archive?: Archive | undefined;
  /** Has these gates looked at soon. */
  onFreed: (gates: readonly string[]) => void;
  /** Rows that a round looks at. Defaults to 1000. */
  batch?: number;
}

export function createPruner({
  database,
  events,
  retention,
  idempotencyKeyMs,
  auditMs = null,
  archive,
  onFreed,
  batch = AT_ONCE,
}: PrunerOptions): Chore {
  let after = BEGINNING;
  let walkedPastMs = 0;
  let former: { newest: number; at: number } | undefined;

  const step = async (types: readonly TypeRetention[]): Promise<Step> => {
    const byType = Object.fromEntries(
      types.map((type) => [type.type, isElsewhere(type, archive) ? FOR_EVER : retentionOf(type, retention)]),
    );
    const shortestMs = shortest([retention, ...Object.values(byType)]);
    if (shortestMs === Number.POSITIVE_INFINITY) return { goesOn: false, shortestMs, deleted: 0, newest: 0 };
    const unarchived = new Set(
      types.filter(({ kept }) => kept.length > 0 && !archives(kept)).map(({ type }) => type),
    );
    const walk = { after, limit: batch, retention, byType };
    const { deleted, last, lastAgeMs, newest } =
      archive === undefined
        ? await database.query((sql) => pruneJobs(sql, walk))
        : await archiveAndDelete({ database, archive, walk, unarchived });
    if (deleted > 0) events.publish('maintenance.done', { task: 'pruner', count: deleted });
    const goesOn = last !== null && lastAgeMs > shortestMs;
    after = goesOn ? last : BEGINNING;
    return { goesOn, shortestMs, deleted, newest };
  };

  /** As long as any job may be kept. */
  const keptLongest = (types: readonly TypeRetention[]): number | null => {
    const settings = [retention, ...types.flatMap(({ kept }) => kept)];
    return longest(settings.flatMap((told) => endStates.map((state) => told[state])));
  };

  const pruneOld = async (keptMs: number | null, prune: PruneOld): Promise<number> =>
    keptMs === null ? 0 : await database.query((sql) => prune(sql, { keptMs, limit: batch }));

  return async () => {
    const startedAt = performance.now();
    if (after === BEGINNING) walkedPastMs = 0;
    const types = await database.query(findRetention);
    const told = types.flatMap(({ kept }) => kept.map(({ idempotencyKey }) => idempotencyKey));
    const keptMs = Math.max(idempotencyKeyMs, ...told); // whose key it is, nobody knows
    const keys = await database.query((sql) => pruneIdempotencyKeys(sql, { keptMs, limit: batch }));
    const periods = await database.query((sql) => pruneUniquePeriods(sql, { limit: batch }));
    const keptLongestMs = keptLongest(types);
    const ticks = await pruneOld(keptLongestMs, pruneTicks);
    const batches = await pruneOld(keptLongestMs, pruneBatches);
    const acts = await pruneOld(auditMs, pruneAudit);
    const { goesOn, shortestMs, deleted, newest } = await step(types);
    const endedAt = performance.now();
    const { newest: formerNewest, at } = former ?? { newest, at: startedAt };
    former = { newest, at: endedAt };
    const isWorthwhile = deleted >= WORTHWHILE_SHARE * batch;
    const restMs = restAfter({
      tookMs: endedAt - startedAt,
      deleted,
      created: newest - formerNewest,
      sinceMs: endedAt - at,
      isWorthwhile,
    });
    if (goesOn && !isWorthwhile) walkedPastMs += restMs;
    if (goesOn || [keys, periods, ticks, batches, acts].includes(batch)) return restMs;
    await database.query(pruneWorkers);
    await database.query(pruneRates);
    onFreed(await database.query((sql) => prunePlaces(sql, { limit: batch })));
    return Math.min(HOUR_MS, Math.max(MIN_PAUSE_MS, PAUSE_SHARE * shortestMs, REST_FACTOR * walkedPastMs));
  };
}

function archives(kept: TypeRetention['kept']): boolean {
  return kept.some((ofApp) => ofApp.archives === true);
}

/** Its jobs are archived, and not by this worker's application: they wait for a worker of theirs to lead. */
function isElsewhere({ kept }: TypeRetention, archive: Archive | undefined): boolean {
  return archive === undefined && archives(kept);
}

interface ArchivedStep {
  database: Database;
  archive: Archive;
  walk: PruneOptions;
  /** Types of applications that archive nothing: their jobs are nobody else's business. */
  unarchived: ReadonlySet<string>;
}

/** A step of the walk in which everything is archived before it is deleted, in parts that are bounded in bytes. */
async function archiveAndDelete({ database, archive, walk, unarchived }: ArchivedStep): Promise<Pruned> {
  const { overdue, ...reached } = await database.query((sql) => findOverdueJobs(sql, walk));
  let deleted = 0;
  for (const part of partsOf(overdue)) {
    const ids = part.filter(({ type }) => !unarchived.has(type)).map(({ id }) => id);
    if (ids.length > 0) {
      const jobs = await database.query((sql) => findJobs(sql, ids));
      await archive(jobs.toSorted((a, b) => (BigInt(a.id) < BigInt(b.id) ? -1 : 1)));
    }
    deleted += await database.query((sql) => deleteOverdueJobs(sql, part));
  }
  return { ...reached, deleted };
}

function partsOf(jobs: readonly OverdueJob[]): OverdueJob[][] {
  const parts: OverdueJob[][] = [];
  let left = 0;
  for (const job of jobs) {
    const last = parts.at(-1);
    if (last === undefined || last.length === ARCHIVED_AT_ONCE || job.bytes > left) {
      parts.push([job]);
      left = ARCHIVED_BYTES - job.bytes;
    } else {
      last.push(job);
      left -= job.bytes;
    }
  }
  return parts;
}

/**
 * What a type does not say, say the settings of its applications: the longest of them where several have it. Where none has told, those of this
 * worker hold.
 */
function retentionOf({ retention, kept }: TypeRetention, settings: Retention): Retention {
  if (kept.length === 0) return { ...settings, ...retention };
  const byState = endStates.map((state) => [state, longest(kept.map((ofApp) => ofApp[state]))]);
  return { ...Object.fromEntries(byState), ...retention };
}

/** Null is for ever. */
function longest(times: readonly (number | null)[]): number | null {
  return times.includes(null) ? null : Math.max(...(times as number[]));
}

/** The shortest time, in milliseconds, after which anything is deleted: nothing that is younger needs to be looked at. */
function shortest(all: readonly Retention[]): number {
  const limits = all.flatMap((retention) => Object.values(retention) as (number | null)[]);
  return Math.min(...limits.map((limit) => limit ?? Number.POSITIVE_INFINITY));
}
