/**
 * The workers for people: who is there and what each runs; one is asked to end.
 *
 * Guarantees: changes nothing of any job; a worker that is asked to end does what it does at SIGTERM, within its next beat.
 */
import { NotFound } from '#shared/base/errors.ts';
import { parseId } from '#shared/base/row-id.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { StoredWorker } from '#shared/postgres/statements/fleet.ts';
import { findWorkers, requestDrain } from '#shared/postgres/statements/fleet.ts';

export interface WorkerOverview extends Omit<StoredWorker, 'isBeating' | 'isDraining'> {
  host: string;
  /** `silent`: not heard of for ten seconds; it is frozen, cut off or dead. */
  state: 'working' | 'draining' | 'silent';
}

/** All throw `Unavailable` where nobody can tell now. */
export interface Workers {
  /** Those of all applications on the database that have been heard of within a minute, by name. */
  list(): Promise<WorkerOverview[]>;
  /** Has the worker take no more jobs, finish those that it runs, and stop; whoever has started it starts it again, or not. Throws `NotFound`. */
  drain(id: string): Promise<void>;
}

export function createWorkers(database: Database): Workers {
  return {
    list: async () => (await database.query(findWorkers)).map(toOverview),
    drain: async (id) => {
      const isAsked = parseId(id) !== null && (await database.query((sql) => requestDrain(sql, id)));
      if (!isAsked) throw new NotFound('there is no such living worker');
    },
  };
}

function toOverview({ isBeating, isDraining, ...worker }: StoredWorker): WorkerOverview {
  const host = /@(.*):\d+(?:\.\d+)?$/.exec(worker.name)?.[1] ?? '';
  const state = isDraining ? 'draining' : 'working';
  return { ...worker, host, state: isBeating ? state : 'silent' };
}
