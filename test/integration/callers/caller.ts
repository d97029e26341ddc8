// What each client's file here gives to the tests: the example of docs/transactions.md, and any transaction.
import { z } from 'zod';
import type { CallersClient, Enqueued, Warren } from '../../../src/index.ts';
import { defineApp, defineJob } from '../../../src/index.ts';

export const greet = defineJob({
  type: 'greet',
  args: z.object({ name: z.string() }),
  perform: async ({ name }) => ({ greeted: name }),
});

export const app = defineApp({
  name: 'crm',
  queues: { default: { channels: 1, prefetch: 10 } },
  jobs: [greet],
});

/** A name that is taken is refused at the commit: all that came before it in the transaction is rolled back. */
export const schema = 'create table customers (name text unique deferrable initially deferred)';

export interface Caller {
  signUp(name: string): Promise<Enqueued>;
  transaction<Result>(work: (transaction: CallersClient) => Promise<Result>): Promise<Result>;
  end(): Promise<void>;
}

export type OpenCaller = (databaseUrl: string, warren: Warren) => Caller;
