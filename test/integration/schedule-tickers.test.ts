// Who decides ticks: two at once, one that was frozen, one that dies. No tick has two jobs.
import { expect, test } from 'vitest';
import type { TickerParts } from '../../src/queue/schedules/decide-ticks.ts';
import { decideTicks } from '../../src/queue/schedules/decide-ticks.ts';
import { Events } from '../../src/shared/observe/events.ts';
import { Database } from '../../src/shared/postgres/database.ts';
import { Publisher } from '../../src/shared/rabbitmq/publisher.ts';
import { eventually } from '../support/eventually.ts';
import type { Scheduled } from '../support/scheduled.ts';
import { HOURLY, hoursAgo, rewind, startScheduled } from '../support/scheduled.ts';

/** What decides ticks without a leader or a broker: the relay is left to publish. */
function tickerOn({ sql }: Scheduled, database: TickerParts['database'] = sql): TickerParts {
  const events = new Events();
  const publisher = new Publisher({ url: 'none', name: 'ticker', channels: 1, queues: [], events });
  return { database, publisher: () => publisher, events, onHeld: () => {} };
}

/** How often each (schedule, tick) has a job. */
async function jobsPerTick({ sql }: Scheduled): Promise<number[]> {
  const rows = await sql.query(
    (query) => query<{ count: number }[]>`
      select count(*)::int as count from warren.jobs group by args ->> 'days', run_at`,
  );
  return rows.map(({ count }) => count);
}

async function setHourly(scheduled: Scheduled, schedules: number, hours: number): Promise<void> {
  const warren = scheduled.open();
  await warren.start();
  for (let days = 1; days <= schedules; days += 1) {
    const name = `hourly-${days}`;
    await warren.schedules.set(name, {
      cron: HOURLY,
      type: 'tidy',
      args: { days },
      catchUp: 'all',
      overlap: 'allow',
    });
    await rewind(scheduled.sql, name, await hoursAgo(scheduled.sql, hours - 1));
  }
}

test('several who decide at the same moment make one job for each tick', async () => {
  const scheduled = await startScheduled();
  await setHourly(scheduled, 20, 10);
  const tickers = Array.from({ length: 4 }, () => tickerOn(scheduled));
  await eventually(
    async () => (await Promise.all(tickers.map((ticker) => decideTicks(ticker)))).reduce((a, b) => a + b),
    (decided) => decided === 0,
  );
  expect(await jobsPerTick(scheduled)).toEqual(Array.from({ length: 200 }, () => 1));
});

test('one that is frozen after it has planned decides nothing when it wakes', async () => {
  const scheduled = await startScheduled();
  await setHourly(scheduled, 3, 5);
  const planned = Promise.withResolvers<void>();
  const woken = Promise.withResolvers<void>();
  const frozen = decideTicks(
    tickerOn(scheduled, {
      query: (statement) => scheduled.sql.query(statement),
      transaction: async (work) => {
        planned.resolve();
        await woken.promise;
        return await scheduled.sql.transaction(work);
      },
    }),
  );
  await planned.promise;
  expect(await decideTicks(tickerOn(scheduled))).toBe(15);
  woken.resolve();
  expect(await frozen).toBe(0);
  expect(await jobsPerTick(scheduled)).toEqual(Array.from({ length: 15 }, () => 1));
});

test('a tick that stands in the history has no second job, even where its schedule has gone back to it', async () => {
  const scheduled = await startScheduled();
  await setHourly(scheduled, 1, 5);
  await decideTicks(tickerOn(scheduled));
  await rewind(scheduled.sql, 'hourly-1', await hoursAgo(scheduled.sql, 4));
  expect(await decideTicks(tickerOn(scheduled))).toBe(0);
  expect(await jobsPerTick(scheduled)).toEqual([1, 1, 1, 1, 1]);
});

test('one that dies before its commit leaves the ticks to the next', async () => {
  const scheduled = await startScheduled();
  await setHourly(scheduled, 2, 3);
  const dying = new Database({
    url: scheduled.database.url,
    name: 'dying',
    min: 0,
    max: 1,
    events: new Events(),
  });
  await expect(
    decideTicks(
      tickerOn(scheduled, {
        query: (statement) => dying.query(statement),
        transaction: (work) =>
          dying.transaction(async (sql) => {
            await work(sql);
            await scheduled.sql.query(
              (query) => query`select pg_terminate_backend(pid) from pg_stat_activity
                where application_name = 'dying' and datname = current_database()`,
            );
            await sql`select 1`;
            throw new Error('unreachable');
          }),
      }),
    ),
  ).rejects.toThrow();
  await dying.stop();
  expect(await jobsPerTick(scheduled)).toEqual([]);
  expect(await decideTicks(tickerOn(scheduled))).toBe(6);
  expect(await jobsPerTick(scheduled)).toEqual([1, 1, 1, 1, 1, 1]);
});
