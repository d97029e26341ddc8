import { expect, test } from 'vitest';
import {
  unpublishOvertakenJobs,
  unpublishUndeliveredJobs,
} from '../../src/shared/postgres/statements/maintenance.ts';
import { eventually } from '../support/eventually.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';

test('jobs whose messages were purged run all the same, each once', async () => {
  let starts = 0;
  await using fleet = await startFleet(
    testJob(async () => {
      starts += 1;
    }),
  );
  const ids = await Promise.all(Array.from({ length: 40 }, () => fleet.enqueue()));
  await allPublished(fleet);
  await fleet.vhost.management.purgeQueue('warren.default');
  await fleet.startWorker();
  for (const id of ids) expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1 });
  expect(starts).toBe(40);
});

test('a job is published again where later messages have been delivered, and left alone where they have not', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const [lost = '', waiting = ''] = [await fleet.enqueue(), await fleet.enqueue()];
  await allPublished(fleet);
  await fleet.sql(
    (sql) => sql`update warren.jobs set run_at = run_at - interval '1 minute',
      published_at = case when id = ${lost} then now() - interval '1 minute' else now() end`,
  );
  const reconcile = () => fleet.database.query((sql) => unpublishOvertakenJobs(sql, 100));
  await delivered(fleet, { owner: 1, queue: 'critical' });
  expect(await reconcile()).toBe(0);
  await delivered(fleet, { owner: 2, queue: 'default' });
  expect(await reconcile()).toBe(1);
  expect(await unpublished(fleet)).toEqual([lost]);
  expect(waiting).not.toBe(lost);
});

test('a watermark from the future, of before the clock was set back, counts for nothing and hides no other', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const lost = await fleet.enqueue();
  await allPublished(fleet);
  await fleet.sql(
    (sql) =>
      sql`update warren.jobs set run_at = run_at - interval '1 minute', published_at = published_at - interval '1 minute'`,
  );
  const reconcile = () => fleet.database.query((sql) => unpublishOvertakenJobs(sql, 100));
  await delivered(fleet, { owner: 1, queue: 'default', inSeconds: 3_600 });
  expect(await reconcile()).toBe(0);
  await delivered(fleet, { owner: 2, queue: 'default' });
  expect(await reconcile()).toBe(1);
  expect(await unpublished(fleet)).toEqual([lost]);
});

test('a job of an empty queue is given five seconds to be claimed', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const [old = '', fresh = ''] = [await fleet.enqueue(), await fleet.enqueue()];
  await allPublished(fleet);
  await fleet.sql(
    (sql) =>
      sql`update warren.jobs set published_at = case when id = ${old} then now() - interval '6 seconds' else now() end`,
  );
  expect(await fleet.database.query((sql) => unpublishUndeliveredJobs(sql, ['default'], 100))).toBe(1);
  expect(await unpublished(fleet)).toEqual([old]);
  expect(fresh).not.toBe(old);
});

/** A worker has been delivered a message that was published just now, or so long after. */
async function delivered(
  fleet: Fleet,
  { owner, queue, inSeconds = 0 }: { owner: number; queue: string; inSeconds?: number },
): Promise<void> {
  await fleet.sql(
    (sql) => sql`insert into warren.workers (owner, name, delivered)
      values (${owner}, 'worker', jsonb_build_object(${queue}::text, extract(epoch from now()) + ${inSeconds}::int))`,
  );
}

async function allPublished(fleet: Fleet): Promise<void> {
  await eventually(
    () => unpublished(fleet),
    (ids) => ids.length === 0,
  );
}

async function unpublished(fleet: Fleet): Promise<string[]> {
  const rows = await fleet.sql(
    (sql) => sql<{ id: string }[]>`select id from warren.jobs where published_at is null`,
  );
  return rows.map(({ id }) => id);
}
