import { expect, test } from 'vitest';
import type { JobContext } from '../../src/shared/job/job.ts';
import { startFleet, testJob } from '../support/fleet.ts';
import type { TestServices } from '../support/test-app.ts';

/** Longer than Warren's own statements may take. */
const SLOW_SECONDS = 6;

test('a handler has a plain client: none of the settings and deadlines of Warren’s connections', async () => {
  await using fleet = await startFleet(
    testJob(async (_args, { services: { sql } }: JobContext<TestServices>) => {
      const [row] = await sql`
        select current_setting('application_name') as name, current_setting('enable_seqscan') as seqscan,
          current_setting('statement_timeout') as timeout, pg_sleep(${SLOW_SECONDS})::text as slept`;
      return row;
    }),
  );
  await fleet.startWorker();
  const job = await fleet.until(await fleet.enqueue());
  expect(job).toMatchObject({
    state: 'completed',
    attempt: 1,
    output: { name: 'warren-worker@test:1 jobs', seqscan: 'on', timeout: '0' },
  });
});

test('a worker whose handlers ask nothing opens no connection for them', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  await fleet.startWorker();
  await fleet.until(await fleet.enqueue());
  const opened = await fleet.sql(
    (sql) =>
      sql`select from pg_stat_activity where datname = current_database() and application_name like '% jobs'`,
  );
  expect(opened).toHaveLength(0);
});

test('an attempt that loses its connection is not charged: the job runs again', async () => {
  let starts = 0;
  await using fleet = await startFleet(
    testJob(async (_args, { services: { sql } }: JobContext<TestServices>) => {
      starts += 1;
      if (starts === 1) await sql`select pg_terminate_backend(pg_backend_pid())`;
      await sql.begin((transaction) => transaction`select 1`);
    }),
  );
  await fleet.startWorker();
  expect(await fleet.until(await fleet.enqueue())).toMatchObject({
    state: 'completed',
    attempt: 1,
    errors: [],
  });
  expect(starts).toBe(2);
});

test('a statement that is wrong fails its attempt', async () => {
  await using fleet = await startFleet(
    testJob(async (_args, { services: { sql } }: JobContext<TestServices>) => await sql`selct 1`, {
      maxAttempts: 1,
    }),
  );
  await fleet.startWorker();
  const job = await fleet.until(await fleet.enqueue());
  expect(job).toMatchObject({ state: 'discarded', attempt: 1 });
  expect(job.errors[0]?.message).toContain('syntax error');
});
