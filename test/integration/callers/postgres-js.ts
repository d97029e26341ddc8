// postgres.js, as docs/transactions.md has it.
import postgres from 'postgres';
import type { OpenCaller } from './caller.ts';
import { greet } from './caller.ts';

export const openPostgresJs: OpenCaller = (databaseUrl, warren) => {
  // example
  const sql = postgres(databaseUrl);

  async function signUp(name: string) {
    return await sql.begin(async (transaction) => {
      await transaction`insert into customers (name) values (${name})`;
      return await warren.enqueue(greet, { name }, { transaction });
    });
  }
  // end of example
  return {
    signUp,
    transaction: async (work) =>
      (await sql.begin(async (transaction) => [await work(transaction)]))[0] as never,
    end: async () => await sql.end(),
  };
};
