// The application of a worker whose own transactions lose their connection, again and again, from its start on. It says each time that it goes on.
import { setTimeout as delay } from 'node:timers/promises';
import type { Sql } from 'postgres';
import { defineApp } from '../../src/index.ts';

async function loseTransaction(sql: Sql): Promise<void> {
  await sql.begin(async (transaction) => {
    const [{ pid } = { pid: 0 }] = await transaction<{ pid: number }[]>`select pg_backend_pid() as pid`;
    const sleeping = transaction`select pg_sleep(10)`;
    await Promise.all([sleeping, sql`select pg_terminate_backend(${pid})`]);
  });
}

async function loseTransactions(sql: Sql): Promise<void> {
  for (;;) {
    await Promise.race([loseTransaction(sql).catch(() => {}), delay(1_000)]);
    await delay(20); // a client that has ended refuses at once, and nothing else would get its turn
    process.stdout.write(`${JSON.stringify({ msg: 'goes on' })}\n`);
  }
}

export const app = defineApp({
  name: 'losing',
  module: import.meta.url,
  services: ({ sql }) => {
    void loseTransactions(sql);
    return {};
  },
  queues: { default: {} },
  jobs: [],
});
