/**
 * Deletes what is kept no longer: jobs some time after their end, idempotency keys, workers that are gone.
 *
 * Guarantees: only jobs that have ended are deleted; a round looks at a bounded number of rows and waits for nobody; it works at most a fifth of the
 * time, so that it is never in the way of the jobs. A pass begins at the oldest job and ends at the first that is too young to be deleted, an hour
 * before the next.
 */
import type { JobDefinition, Retention } from '#shared/job/job.ts';
import { publishEvent } from '#shared/observe/events.ts';
import type { Database } from '#shared/postgres/database.ts';
import { pruneIdempotencyKeys, pruneJobs } from '#shared/postgres/statements/pruning.ts';
import { pruneWorkers } from '#shared/postgres/statements/workers.ts';
import type { Chore } from './maintenance.ts';

const HOUR_MS = 3_600_000;
/** Rows that a round looks at. */
const BATCH = 1_000;
/** The wait after a round, by the time that it took, and at least, in milliseconds. */
const REST_FACTOR = 4;
const MIN_REST_MS = 50;
const BEGINNING = '0';

export interface PrunerOptions {
  database: Database;
  /** For job types without one of their own. */
  retention: Retention;
  definitions: ReadonlyMap<string, JobDefinition>;
  idempotencyKeyMs: number;
  /** Rows that a round looks at. Defaults to 1000. */
  batch?: number;
}

export function createPruner({
  database,
  retention,
  definitions,
  idempotencyKeyMs,
  batch = BATCH,
}: PrunerOptions): Chore {
  const byType = retentionByType(definitions, retention);
  const shortestMs = shortest([retention, ...Object.values(byType)]);
  let after = BEGINNING;

  /** Resolves with whether the pass goes on. */
  const step = async (): Promise<boolean> => {
    const { deleted, last, lastAgeMs } = await database.query((sql) =>
      pruneJobs(sql, { after, limit: batch, retention, byType }),
    );
    if (deleted > 0) publishEvent('maintenance.done', { task: 'pruner', count: deleted });
    const goesOn = last !== null && lastAgeMs > shortestMs;
    after = goesOn ? last : BEGINNING;
    return goesOn;
  };

  return async () => {
    const startedAt = performance.now();
    const keys = await database.query((sql) =>
      pruneIdempotencyKeys(sql, { keptMs: idempotencyKeyMs, limit: batch }),
    );
    const goesOn = shortestMs < Number.POSITIVE_INFINITY && (await step());
    if (goesOn || keys === batch) {
      return Math.max(MIN_REST_MS, REST_FACTOR * (performance.now() - startedAt));
    }
    await database.query(pruneWorkers);
    return HOUR_MS;
  };
}

/** The retention of the job types that have one of their own. */
function retentionByType(
  definitions: ReadonlyMap<string, JobDefinition>,
  retention: Retention,
): Record<string, Retention> {
  const own: Record<string, Retention> = {};
  for (const [type, { retention: ofType }] of definitions) {
    if (ofType !== undefined) own[type] = { ...retention, ...ofType };
  }
  return own;
}

/** The shortest time, in milliseconds, after which anything is deleted: nothing that is younger needs to be looked at. */
function shortest(all: readonly Retention[]): number {
  const limits = all.flatMap((retention) => Object.values(retention) as (number | null)[]);
  return Math.min(...limits.map((limit) => limit ?? Number.POSITIVE_INFINITY));
}
