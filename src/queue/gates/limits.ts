/**
 * Limits for people: which there are, how much of them is in use, and what they are from now on.
 *
 * Guarantees: what is answered has been committed; whoever waits and may go on because of a change goes on within a second.
 */
import { NotFound } from '#shared/base/errors.ts';
import type { Limit } from '#shared/job/limit.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { LimitInForce } from '#shared/postgres/statements/limits.ts';
import { deleteLimit, findLimits, putLimit } from '#shared/postgres/statements/limits.ts';

/** A limit in force, and how much of it is in use. */
export interface LimitOverview extends Pick<LimitInForce, 'name' | 'origin' | 'inUse' | 'waiting'> {
  /** Null: any number. */
  concurrency: number | null;
  /** Null: at any rate. */
  rate: { count: number; perMs: number; burst: number } | null;
}

export interface Limits {
  list(): Promise<LimitOverview[]>;
  /** Throws `NotFound`. */
  find(name: string): Promise<LimitOverview>;
  /** Wins over what applications define, until it is deleted. */
  put(name: string, limit: Limit): Promise<LimitOverview>;
  /** The definition holds again; undefined where there is none, and nothing is limited by this name any more. Throws `NotFound` where nothing was put. */
  delete(name: string): Promise<LimitOverview | undefined>;
}

export interface LimitsOptions {
  database: Database;
  /** Has gates looked at. */
  admit: (gates: readonly string[]) => void;
}

export function createLimits({ database, admit }: LimitsOptions): Limits {
  const find = async (name: string): Promise<LimitOverview | undefined> => {
    const [limit] = await database.query((sql) => findLimits(sql, name));
    return limit && toOverview(limit);
  };
  const findOrThrow = async (name: string): Promise<LimitOverview> => {
    const limit = await find(name);
    if (limit === undefined) throw new NotFound(`there is no limit "${name}"`);
    return limit;
  };
  return {
    list: async () => (await database.query((sql) => findLimits(sql))).map(toOverview),
    find: findOrThrow,
    put: async (name, limit) => {
      await database.query((sql) => putLimit(sql, name, limit));
      admit([`limit:${name}`]); // its keys are the gatekeeper's
      return await findOrThrow(name);
    },
    delete: async (name) => {
      if (!(await database.query((sql) => deleteLimit(sql, name))))
        throw new NotFound(`nothing was made of the limit "${name}" at run time`);
      admit([`limit:${name}`]);
      return await find(name);
    },
  };
}

function toOverview({ rateCount, ratePerMs, burst, ...limit }: LimitInForce): LimitOverview {
  const hasRate = rateCount !== null && ratePerMs !== null && burst !== null;
  return { ...limit, rate: hasRate ? { count: rateCount, perMs: ratePerMs, burst } : null };
}
