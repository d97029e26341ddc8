/**
 * What people do to job types while the programs run: they look at them, pause and resume.
 *
 * Guarantees: what is answered has been committed; from then on no job of a paused type is started, by message or without.
 */
import { NotFound } from '#shared/base/errors.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { TypeOverview } from '#shared/postgres/statements/paused-types.ts';
import { findTypes, pauseType, resumeType } from '#shared/postgres/statements/paused-types.ts';

/** Names may be any text. All throw `Unavailable` where nobody can tell now, and all but `list` throw `NotFound`. */
export interface TypeControl {
  /** The types of all applications on the database, by name. */
  list(): Promise<TypeOverview[]>;
  /** From now on no job of the type is started, in whichever queue; those that run go on, and so do the other types. */
  pause(type: string): Promise<void>;
  resume(type: string): Promise<void>;
}

export function createTypeControl(database: Database): TypeControl {
  const assertFound = (isFound: boolean) => {
    if (!isFound) throw new NotFound('no program has told of such a job type');
  };
  return {
    list: () => database.query(findTypes),
    pause: async (type) => assertFound(await database.query((sql) => pauseType(sql, type))),
    resume: async (type) => assertFound(await database.query((sql) => resumeType(sql, type))),
  };
}
