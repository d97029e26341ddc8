/**
 * Tells the database of an application's job types, and finds out whether another application means something else by one of their names.
 *
 * Guarantees: an application may change its types while its former version still runs. Where living workers of another application run a type of the same name
 * with another definition, this program does not start, whoever told of the type first, for each would run the other's jobs. A type that is marked as shared may
 * differ: it is as the application that told of it first has it.
 */
import { Misconfigured } from '../base/errors.ts';
import type { App } from '../job/app.ts';
import type { Events } from '../observe/events.ts';
import type { Database } from './database.ts';
import type { DifferingType, Kept, ToldDefinition, ToldType } from './statements/job-types.ts';
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
  const isShared = (type: string) => app.definitions.get(type)?.shared === true;
  const differing = await database.query((sql) => findDifferingTypes(sql, app.name, types));
  const theirs = new Map(
    differing
      .filter((found) => found.app !== app.name || !isShared(found.type))
      .map((found) => [found.type, found]),
  );
  for (const mine of types) {
    const found = theirs.get(mine.type);
    if (found === undefined) continue;
    if (found.livingApp !== null && !isShared(mine.type)) throw new Misconfigured(explain(mine, found));
    if (isShared(mine.type) && describe({ ...found, queue: mine.queue }) === describe(mine)) continue; // each has a queue of its own for it
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

function explain(mine: ToldType, { app, livingApp, ...theirs }: DifferingType): string {
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
