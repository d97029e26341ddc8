// Kysely, as docs/transactions.md has it.
import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import type { OpenCaller } from './caller.ts';
import { greet } from './caller.ts';

interface Tables {
  customers: { name: string };
}

export const openKysely: OpenCaller = (databaseUrl, warren) => {
  const pool = new pg.Pool({ connectionString: databaseUrl });
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  // example
  async function signUp(name: string) {
    return await db.transaction().execute(async (trx) => {
      await trx.insertInto('customers').values({ name }).execute();
      return await warren.enqueue(greet, { name }, { transaction: (...query) => sql(...query).execute(trx) });
    });
  }
  // end of example
  return {
    signUp,
    transaction: async (work) =>
      await db.transaction().execute(async (trx) => await work((...query) => sql(...query).execute(trx))),
    end: async () => await db.destroy(),
  };
};
