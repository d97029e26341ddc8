// The workers of the deli counter: more of them serve more at once; stopped and killed in the middle of tickets, they serve each ticket once.
import { resolve } from 'node:path';
import postgres from 'postgres';
import { expect, test } from 'vitest';
import { migrate } from '../../src/shared/postgres/migrate/migrate.ts';
import { loadApp } from '../../src/shared/program/load-app.ts';
import { eventually } from '../support/eventually.ts';
import type { Program } from '../support/program.ts';
import { startProgram } from '../support/program.ts';
import { createDatabase, createVhost } from '../support/servers.ts';

const appModule = resolve(import.meta.dirname, '../../examples/tickets/app.ts');

interface Counter extends AsyncDisposable {
  sql: postgres.Sql;
  startWorker(env: Readonly<Record<string, string>>): Promise<Program>;
  take(count: number): Promise<void>;
  /** Resolves with how many have been served, once that satisfies. */
  served(satisfies: (line: { served: number; serving: number }) => boolean): Promise<number>;
}

/** A counter without workers and tickets. */
async function openCounter(): Promise<Counter> {
  await using started = new AsyncDisposableStack();
  const database = started.use(await createDatabase({ migrated: false }));
  const vhost = started.use(await createVhost());
  await migrate({ databaseUrl: database.url, app: await loadApp(appModule) });
  const sql = postgres(database.url, { max: 2, onnotice: () => {} });
  started.defer(async () => sql.end());
  const servers = { DATABASE_URL: database.url, AMQP_URL: vhost.url, WARREN_APP: appModule };
  const readLine = async () => {
    const [row] = await sql<{ served: number; serving: number }[]>`
      select count(served_at)::int as served, count(serving_since)::int - count(served_at)::int as serving from tickets.tickets`;
    return row ?? { served: 0, serving: 0 };
  };
  const stack = started.move();
  return {
    sql,
    startWorker: async (env) => {
      const worker = stack.use(await startProgram('worker', { ...servers, WORKER_HEALTH_PORT: '0', ...env }));
      const { healthPort } = await worker.waitForLog('worker started');
      await eventually(
        async () => await fetch(`http://127.0.0.1:${healthPort}/readyz`).then(({ ok }) => ok),
        (isReady) => isReady,
      );
      return worker;
    },
    take: async (count) => {
      await sql`
        with taken as (insert into tickets.tickets (taken_at) select now() from generate_series(1, ${count}) returning number)
        select warren.enqueue('serve-ticket', jsonb_build_object('number', number)) from taken`;
    },
    served: async (satisfies) => (await eventually(readLine, satisfies)).served,
    [Symbol.asyncDispose]: async () => stack.disposeAsync(),
  };
}

/** The most that were served at the same time, of the tickets above this number. */
async function mostAtOnce(sql: postgres.Sql, above: number): Promise<number> {
  const [row] = await sql<{ most: number }[]>`
    select max((select count(*)::int from tickets.tickets other
      where other.serving_since <= ticket.serving_since and other.served_at > ticket.serving_since)) as most
    from tickets.tickets ticket where number > ${above}`;
  return row?.most ?? 0;
}

test('one worker serves one ticket at a time, four serve four, and all of them work', async () => {
  await using counter = await openCounter();
  const start = async () => counter.startWorker({ TICKET_SECONDS: '0.3' });
  await start();
  await counter.take(8);
  await counter.served(({ served }) => served === 8);
  expect(await mostAtOnce(counter.sql, 0)).toBe(1);

  await Promise.all([start(), start(), start()]);
  await counter.take(32);
  await counter.served(({ served }) => served === 40);
  expect(await mostAtOnce(counter.sql, 8)).toBe(4);
  const workers = await counter.sql`select distinct served_by from tickets.tickets where number > 8`;
  expect(workers.count).toBe(4);
});

test('a worker that gets SIGTERM in the middle of a ticket finishes it', async () => {
  await using counter = await openCounter();
  const worker = await counter.startWorker({ TICKET_SECONDS: '1' });
  await counter.take(30);
  await counter.served(({ serving }) => serving === 1);
  worker.signal('SIGTERM');
  expect(await worker.exited).toEqual({ code: 0, signal: null });
  const [line] = await counter.sql<{ begun: number; once: number }[]>`
    select count(serving_since)::int as begun, count(*) filter (where times_served = 1)::int as once from tickets.tickets`;
  expect(line?.begun).toBeGreaterThanOrEqual(1);
  expect(line?.begun).toBeLessThan(30); // the rest waits for somebody else
  expect(line?.once).toBe(line?.begun);
});

test('a ticket that takes longer than a worker may drain is served by another, once', async () => {
  await using counter = await openCounter();
  const slow = await counter.startWorker({ TICKET_SECONDS: '3600', DRAIN_TIMEOUT_MS: '100' });
  await counter.take(1);
  await counter.served(({ serving }) => serving === 1);
  slow.signal('SIGTERM');
  await slow.exited;
  const quick = await counter.startWorker({ TICKET_SECONDS: '0.1' });
  await counter.served(({ served }) => served === 1);
  const [ticket] = await counter.sql`select times_served, served_by from tickets.tickets`;
  expect(ticket).toMatchObject({ times_served: 1, served_by: expect.stringMatching(`:${quick.pid}$`) });
});

test('stopped and killed in the middle of tickets, they serve each of 200 once', async () => {
  const count = 200;
  await using counter = await openCounter();
  const start = async () => counter.startWorker({ TICKET_SECONDS: '0.2' });
  const workers = await Promise.all([start(), start(), start(), start()]);
  await counter.take(count);
  let before = 0;
  for (const [index, signal] of (['SIGTERM', 'SIGKILL', 'SIGTERM', 'SIGKILL'] as const).entries()) {
    before = await counter.served(({ served, serving }) => served >= before + 10 && serving > 0);
    const worker = workers[index];
    worker?.signal(signal);
    await worker?.exited;
    await start();
  }
  await counter.served(({ served }) => served === count);
  const once = await counter.sql`select from tickets.tickets where times_served = 1`;
  expect(once.count).toBe(count);
  await eventually(
    async () => (await counter.sql`select from warren.jobs where state = 'completed'`).count,
    (completed) => completed === count,
  );
});
