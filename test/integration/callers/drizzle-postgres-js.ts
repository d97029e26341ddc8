// Drizzle on postgres.js: its transactions are used as those on `pg` are, but answer in another form.
import { sql } from 'drizzle-orm';
import { pgTable, text } from 'drizzle-orm/pg-core';
import { drizzle } from 'drizzle-orm/postgres-js';
import postgres from 'postgres';
import type { OpenCaller } from './caller.ts';
import { greet } from './caller.ts';

const customers = pgTable('customers', { name: text() });

export const openDrizzleOnPostgresJs: OpenCaller = (databaseUrl, warren) => {
  const client = postgres(databaseUrl);
  const db = drizzle({ client });
  return {
    signUp: async (name) =>
      await db.transaction(async (tx) => {
        await tx.insert(customers).values({ name });
        return await warren.enqueue(
          greet,
          { name },
          { transaction: (...query) => tx.execute(sql(...query)) },
        );
      }),
    transaction: async (work) =>
      await db.transaction(async (tx) => await work((...query) => tx.execute(sql(...query)))),
    end: async () => await client.end(),
  };
};
