// A Warren with a job type for schedules, on a database of its own, and what the tests of schedules ask of it.
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import type { RunningWorker, ScheduleDefinition, Tick } from '../../src/index.ts';
import { defineApp, defineJob, Warren } from '../../src/index.ts';
import { Events } from '../../src/shared/observe/events.ts';
import { Database } from '../../src/shared/postgres/database.ts';
import { eventually } from './eventually.ts';
import type { TestDatabase, TestVhost } from './servers.ts';
import { asRole, asUser, createDatabase, createVhost } from './servers.ts';

export const tidy = defineJob({
  type: 'tidy',
  args: z.object({ days: z.int().default(7), blocks: z.boolean().default(false) }),
  perform: async ({ blocks }, { signal }) => {
    if (blocks)
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  },
});

/** The same application, with these schedules in its code. */
export function scheduledApp(schedules: readonly ScheduleDefinition[] = [], name = 'test') {
  return defineApp({ name, queues: { default: {} }, jobs: [tidy], schedules });
}

export interface Scheduled {
  database: TestDatabase;
  vhost: TestVhost;
  /** An administrator's. */
  sql: Database;
  /** Another instance on the same servers. Stopped at the end of the test. */
  open(schedules?: readonly ScheduleDefinition[], name?: string): Warren;
  /** Starts a worker of such an instance. */
  work(
    schedules?: readonly ScheduleDefinition[],
    name?: string,
  ): Promise<{ warren: Warren; worker: RunningWorker }>;
}

export async function startScheduled(): Promise<Scheduled> {
  const [database, vhost] = await Promise.all([createDatabase(), createVhost()]);
  const sql = new Database({
    url: database.url,
    name: 'administrator',
    min: 0,
    max: 4,
    events: new Events(),
  });
  onTestFinished(async () => {
    await sql.stop();
    await database[Symbol.asyncDispose]();
    await vhost[Symbol.asyncDispose]();
  });
  const open: Scheduled['open'] = (schedules, name) => {
    const warren = new Warren({
      app: scheduledApp(schedules, name),
      databaseUrl: asRole(database.url, 'worker'),
      amqpUrl: asUser(vhost.url, 'worker'),
      settings: { DRAIN_TIMEOUT_MS: '0' }, // some jobs end only when they are aborted
    });
    onTestFinished(() => warren.stop());
    return warren;
  };
  return {
    database,
    vhost,
    sql,
    open,
    work: async (schedules, name) => {
      const warren = open(schedules, name);
      return { warren, worker: await warren.startWorker() };
    },
  };
}

/** The history of a schedule, oldest first, when it satisfies. */
export async function history(
  warren: Warren,
  name: string,
  satisfies: (ticks: Tick[]) => boolean,
): Promise<Tick[]> {
  return await eventually(async () => {
    const { ticks } = await warren.schedules.history(name, { limit: 200 });
    return ticks.reverse();
  }, satisfies);
}

/** So far from now that no hourly tick comes while a test runs, and none came just before it. */
const MINUTE = (new Date().getUTCMinutes() + 30) % 60;

/** Each hour, half an hour from now. */
export const HOURLY = `${MINUTE} * * * *`;

/** The tick of `HOURLY` so many hours before its last one, by the database's clock. */
export async function hoursAgo(sql: Database, hours: number): Promise<Date> {
  const [row] = await sql.query(
    (query) => query<{ at: Date }[]>`
      select date_trunc('hour', now() - ${MINUTE} * interval '1 minute') + ${MINUTE} * interval '1 minute'
        - ${hours} * interval '1 hour' as at`,
  );
  return row?.at ?? new Date(0);
}

/** As though nobody had led since then: the schedule's next tick is the one after that time. */
export async function rewind(sql: Database, name: string, nextTick: Date): Promise<void> {
  await sql.query(
    (query) =>
      query`update warren.schedules set next_tick = ${nextTick.toISOString()}::text::timestamptz where name = ${name}`,
  );
}
