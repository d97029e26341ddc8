import { expect, test } from 'vitest';
import { rescueJobs } from '../../src/shared/postgres/job-maintenance.ts';
import { claimJobs, takeOverJobs } from '../../src/shared/postgres/jobs.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';

/** A running job of a dead owner, with so many crashes behind it. */
async function orphan(fleet: Fleet, crashes: number): Promise<string> {
  const id = await fleet.enqueue({}, { maxAttempts: 3 });
  await fleet.database.query((sql) => claimJobs(sql, [id], '4711'));
  await fleet.sql((sql) => sql`update warren.jobs set crashes = ${crashes} where id = ${id}`);
  return id;
}

const crashesOf = async (fleet: Fleet, id: string) => {
  const [row] = await fleet.sql(
    (sql) => sql`select crashes, attempt, state from warren.jobs where id = ${id}`,
  );
  return row;
};

test('a crash is charged to the jobs that ran in the process, and not to one in quarantine', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const ran = await orphan(fleet, 1);
  const quarantined = await orphan(fleet, 2);
  const claims = await fleet.database.query((sql) => takeOverJobs(sql, [ran, quarantined], '1'));
  expect(claims.map(({ crashes, attempt }) => [crashes, attempt]).sort()).toEqual([
    [2, 1],
    [2, 2],
  ]);
  expect((await fleet.job(ran)).errors).toHaveLength(1);
  expect((await fleet.job(quarantined)).errors).toHaveLength(0);
});

test('the rescuer does not charge a job in quarantine either', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const ran = await orphan(fleet, 0);
  const quarantined = await orphan(fleet, 2);
  await fleet.database.query((sql) => rescueJobs(sql, ['4711'], 10));
  expect(await crashesOf(fleet, ran)).toEqual({ crashes: 1, attempt: 1, state: 'available' });
  expect(await crashesOf(fleet, quarantined)).toEqual({ crashes: 2, attempt: 0, state: 'available' });
});
