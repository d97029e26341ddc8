// TypeORM, as docs/transactions.md has it.
import { DataSource } from 'typeorm';
import type { OpenCaller } from './caller.ts';
import { greet } from './caller.ts';

export const openTypeorm: OpenCaller = (databaseUrl, warren) => {
  const dataSource = new DataSource({ type: 'postgres', url: databaseUrl });
  const initialized = dataSource.initialize();
  // example
  async function signUp(name: string) {
    return await dataSource.transaction(async (manager) => {
      await manager.query('insert into customers (name) values ($1)', [name]);
      return await warren.enqueue(greet, { name }, { transaction: manager });
    });
  }
  // end of example
  return {
    signUp: async (name) => {
      await initialized;
      return await signUp(name);
    },
    transaction: async (work) => {
      await initialized;
      return await dataSource.transaction(async (manager) => await work(manager));
    },
    end: async () => await dataSource.destroy(),
  };
};
