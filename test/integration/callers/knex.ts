// Knex, as docs/transactions.md has it.
import knex from 'knex';
import type { OpenCaller } from './caller.ts';
import { greet } from './caller.ts';

export const openKnex: OpenCaller = (databaseUrl, warren) => {
  const db = knex({ client: 'pg', connection: databaseUrl });
  // example
  async function signUp(name: string) {
    return await db.transaction(async (trx) => {
      await trx('customers').insert({ name });
      return await warren.enqueue(greet, { name }, { transaction: trx });
    });
  }
  // end of example
  return {
    signUp,
    transaction: async (work) => await db.transaction(async (trx) => await work(trx)),
    end: async () => await db.destroy(),
  };
};
