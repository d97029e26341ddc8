/**
 * Tells the database of an application's job types, and finds out whether another application means something else by one of their names.
 *
 * Guarantees: an application may change its own types at any time, also while its former version still runs. Where another application's workers run a type of the
 * same name with another definition, this program does not start, for each would run the other's jobs; a type that is marked as shared is told of by both, and
 * stays as it is.
 */
import { Misconfigured } from '../base/errors.ts';
import type { App } from '../job/app.ts';
import type { Events } from '../observe/events.ts';
import type { Database } from './database.ts';
import type { ForeignType, Kept, ToldDefinition, ToldType } from './statements/job-types.ts';
import { findDifferingTypes, tellJobTypes } from './statements/job-types.ts';

export interface Teller {
  database: Database;
  app: App;
  events: Events;
  /** By the settings of this program; undefined where it has none. */
  kept?: Kept | undefined;
}

/** Throws `Misconfigured` where a name means another type elsewhere, and `Unavailable`. */
export async function tellTypes({ database, app, events, kept }: Teller): Promise<void> {
  const types = [...app.definitions.values()].map(
    ({ type, queue, maxAttempts, retention = null }): ToldType => ({ type, queue, maxAttempts, retention }),
  );
  const differing = await database.query((sql) => findDifferingTypes(sql, app.name, types));
  const theirs = new Map(differing.map((found) => [found.type, found]));
  for (const mine of types) {
    const found = theirs.get(mine.type);
    if (found === undefined) continue;
    if (found.livingApp !== null && app.definitions.get(mine.type)?.shared !== true)
      throw new Misconfigured(explain(mine, found));
    events.publish('type.differs', {
      type: mine.type,
      app: found.app,
      here: describe(mine),
      there: describe(found),
    });
  }
  const told = types.map((mine) => {
    const found = theirs.get(mine.type);
    return found?.livingApp == null ? mine : { ...mine, ...definitionOf(found) };
  });
  await database.query((sql) => tellJobTypes(sql, app, told, kept));
}

function definitionOf({ queue, maxAttempts, retention }: ToldDefinition): ToldDefinition {
  return { queue, maxAttempts, retention };
}

function explain(mine: ToldType, { app, livingApp, ...theirs }: ForeignType): string {
  return (
    `job type "${mine.type}" means something else in application "${livingApp ?? app}", whose workers run: ${describe(theirs)} there, ` +
    `${describe(mine)} here. All applications on a database share the names of job types: take another name, or give both the same definition`
  );
}

/** `queue "mail", 5 attempts, kept {"completed":1000}` */
function describe({ queue, maxAttempts, retention }: ToldDefinition): string {
  const kept = retention === null ? '' : `, kept ${JSON.stringify(retention)}`;
  return `queue "${queue}", ${maxAttempts} attempts${kept}`;
}
