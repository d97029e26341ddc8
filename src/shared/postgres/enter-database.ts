/**
 * What every program does before it works: sees that the schema is not older than its code, and tells the database of its application's job types.
 */

import { backoffMs, sleep } from '../base/backoff.ts';
import { Unavailable } from '../base/errors.ts';
import type { App } from '../job/app.ts';
import type { Events } from '../observe/events.ts';
import type { Database } from './database.ts';
import { assertSchemaIsCurrent } from './migrate/migrate.ts';
import { assertSearchPath } from './search-path.ts';
import { tellJobTypes } from './statements/job-types.ts';

export interface Entrance {
  database: Database;
  app: App;
  events: Events;
  stopping: AbortSignal;
}

/** Waits for Postgres. Throws `Misconfigured` where the schema is older than this code or the search path is not safe; ends early when `stopping` aborts. */
export async function enterDatabase({ database, app, events, stopping }: Entrance): Promise<void> {
  for (let retry = 1; !stopping.aborted; retry += 1) {
    try {
      await assertSearchPath(database);
      await assertSchemaIsCurrent(database);
      return await database.query((sql) => tellJobTypes(sql, app));
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      events.publish('write.retried', { what: 'start', retry, error });
      await sleep(backoffMs(retry, { firstMs: 200, maxMs: 2_000, jitter: 0.5 }), stopping);
    }
  }
}
