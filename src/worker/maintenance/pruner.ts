/**
 * Deletes what is kept no longer: jobs some time after their end, idempotency keys, workers that are gone.
 *
 * Guarantees: only jobs that have ended are deleted, each when its type says so or the settings of its own application, whichever one's worker this
 * is; an idempotency key is kept as long as the application says that keeps them longest; a round looks at a bounded number of rows and waits for
 * nobody; it works at most a fifth of the time, so that it is never in the way of the jobs. A pass begins at the oldest job and ends at the first
 * that is too young to be deleted, an hour before the next.
 */
import type { Retention } from '#shared/job/job.ts';
import { endStates } from '#shared/job/transitions.ts';
import type { Events } from '#shared/observe/events.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { TypeRetention } from '#shared/postgres/statements/job-types.ts';
import { findRetention } from '#shared/postgres/statements/job-types.ts';
import { pruneIdempotencyKeys, pruneJobs } from '#shared/postgres/statements/pruning.ts';
import { pruneWorkers } from '#shared/postgres/statements/workers.ts';
import type { Chore } from './maintenance.ts';

const HOUR_MS = 3_600_000;
/** Rows that a round looks at. */
const AT_ONCE = 1_000;
/** The wait after a round, by the time that it took, and at least, in milliseconds. */
const REST_FACTOR = 4;
const MIN_REST_MS = 50;
const BEGINNING = '0';

export interface PrunerOptions {
  database: Database;
  events: Events;
  /** For job types that nobody has told of in full. */
  retention: Retention;
  idempotencyKeyMs: number;
  /** Rows that a round looks at. Defaults to 1000. */
  batch?: number;
}

export function createPruner({
  database,
  events,
  retention,
  idempotencyKeyMs,
  batch = AT_ONCE,
}: PrunerOptions): Chore {
  let after = BEGINNING;

  /** Resolves with whether the pass goes on. */
  const step = async (types: readonly TypeRetention[]): Promise<boolean> => {
    const byType = Object.fromEntries(types.map((type) => [type.type, retentionOf(type, retention)]));
    const shortestMs = shortest([retention, ...Object.values(byType)]);
    if (shortestMs === Number.POSITIVE_INFINITY) return false;
    const { deleted, last, lastAgeMs } = await database.query((sql) =>
      pruneJobs(sql, { after, limit: batch, retention, byType }),
    );
    if (deleted > 0) events.publish('maintenance.done', { task: 'pruner', count: deleted });
    const goesOn = last !== null && lastAgeMs > shortestMs;
    after = goesOn ? last : BEGINNING;
    return goesOn;
  };

  return async () => {
    const startedAt = performance.now();
    const types = await database.query(findRetention);
    const told = types.flatMap(({ kept }) => kept.map(({ idempotencyKey }) => idempotencyKey));
    const keptMs = Math.max(idempotencyKeyMs, ...told); // whose key it is, nobody knows
    const keys = await database.query((sql) => pruneIdempotencyKeys(sql, { keptMs, limit: batch }));
    const goesOn = await step(types);
    if (goesOn || keys === batch) {
      return Math.max(MIN_REST_MS, REST_FACTOR * (performance.now() - startedAt));
    }
    await database.query(pruneWorkers);
    return HOUR_MS;
  };
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
