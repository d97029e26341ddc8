/**
 * What every program does before it works: sees that the schema is not older than its code, and tells the database of its application's job types and limits.
 */

import { backoffMs, sleep } from '../base/backoff.ts';
import { Unavailable } from '../base/errors.ts';
import type { App } from '../job/app.ts';
import type { Retention } from '../job/job.ts';
import type { Events } from '../observe/events.ts';
import type { Grants } from './assert-grants.ts';
import { assertGrants } from './assert-grants.ts';
import type { Database } from './database.ts';
import { assertSchemaIsCurrent } from './migrate/migrate.ts';
import { assertSearchPath } from './search-path.ts';
import { tellLimits, tellQueueGates } from './statements/limits.ts';
import { tellTypes } from './tell-types.ts';

export interface Entrance {
  database: Database;
  app: App;
  events: Events;
  /** How long things are kept by the settings of this program; undefined where it has none. */
  kept?: { retention: Retention; idempotencyKeyMs: number; archiveFile?: string | undefined } | undefined;
  /** What its role must be allowed to; by default that shows when it is needed. */
  grants?: Grants | undefined;
  /** What else the program tells of: last, and again where Postgres goes away meanwhile. Defaults to nothing. */
  tellMore?: (() => Promise<void>) | undefined;
  stopping: AbortSignal;
}

/**
 * Waits for Postgres. Throws `Misconfigured` where the schema is older than this code, the search path is not safe, the role lacks grants, or another application means something
 * else by the name of a job type; ends early when `stopping` aborts.
 */
export async function enterDatabase({
  database,
  app,
  events,
  kept,
  grants,
  tellMore,
  stopping,
}: Entrance): Promise<void> {
  for (let retry = 1; !stopping.aborted; retry += 1) {
    try {
      await assertSearchPath(database);
      if (grants !== undefined) await assertGrants(database, grants); // before anything is read that wants one
      await assertSchemaIsCurrent(database);
      await database.query((sql) => tellLimits(sql, app));
      await database.query((sql) => tellQueueGates(sql, app));
      await tellTypes({
        database,
        app,
        events,
        kept: kept && {
          ...kept.retention,
          idempotencyKey: kept.idempotencyKeyMs,
          archives: app.archive !== undefined || kept.archiveFile !== undefined,
        },
      });
      return await tellMore?.();
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      events.publish('write.retried', { what: 'start', retry, error });
      await sleep(backoffMs(retry, { firstMs: 200, maxMs: 2_000, jitter: 0.5 }), stopping);
    }
  }
}
