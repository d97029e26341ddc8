// `pg`, as docs/transactions.md has it.
import pg from 'pg';
import type { OpenCaller } from './caller.ts';
import { greet } from './caller.ts';

export const openPg: OpenCaller = (databaseUrl, warren) => {
  // example
  const pool = new pg.Pool({ connectionString: databaseUrl });

  async function inTransaction<Result>(work: (client: pg.PoolClient) => Promise<Result>) {
    const client = await pool.connect();
    try {
      await client.query('begin');
      const result = await work(client);
      await client.query('commit');
      return result;
    } catch (error) {
      await client.query('rollback');
      throw error;
    } finally {
      client.release();
    }
  }

  async function signUp(name: string) {
    return await inTransaction(async (client) => {
      await client.query('insert into customers (name) values ($1)', [name]);
      return await warren.enqueue(greet, { name }, { transaction: client });
    });
  }
  // end of example
  return { signUp, transaction: inTransaction, end: async () => await pool.end() };
};
