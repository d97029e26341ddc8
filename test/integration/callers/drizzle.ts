// Drizzle, as docs/transactions.md has it.
import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { pgTable, text } from 'drizzle-orm/pg-core';
import pg from 'pg';
import type { OpenCaller } from './caller.ts';
import { greet } from './caller.ts';

const customers = pgTable('customers', { name: text() });

export const openDrizzle: OpenCaller = (databaseUrl, warren) => {
  const pool = new pg.Pool({ connectionString: databaseUrl });
  const db = drizzle({ client: pool });
  // example
  async function signUp(name: string) {
    return await db.transaction(async (tx) => {
      await tx.insert(customers).values({ name });
      return await warren.enqueue(greet, { name }, { transaction: (...query) => tx.execute(sql(...query)) });
    });
  }
  // end of example
  return {
    signUp,
    transaction: async (work) =>
      await db.transaction(async (tx) => await work((...query) => tx.execute(sql(...query)))),
    end: async () => await pool.end(),
  };
};
