import { expect, test } from 'vitest';
import { claimJobs } from '../../src/shared/postgres/statements/claim.ts';
import { rescueJobs } from '../../src/shared/postgres/statements/maintenance.ts';
import { takeOverJobs } from '../../src/shared/postgres/statements/takeover.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';

/** A running job of a dead owner that has started its claim number 1, with so many crashes behind it. */
async function orphan(fleet: Fleet, crashes: number, claimNumber = 1): Promise<string> {
  const id = await fleet.enqueue({}, { maxAttempts: 3 });
  await fleet.database.query((sql) =>
    claimJobs(sql, [id], { owner: '4711', claimNumber, types: '{test-job}' }),
  );
  await fleet.sql((sql) => sql`update warren.jobs set crashes = ${crashes} where id = ${id}`);
  await fleet.sql(
    (sql) =>
      sql`insert into warren.workers (owner, name, started_batch) values (4711, 'dead', 1) on conflict do nothing`,
  );
  return id;
}

const crashesOf = async (fleet: Fleet, id: string) => {
  const [row] = await fleet.sql(
    (sql) =>
      sql`select crashes, attempt, max_attempts as "maxAttempts", state from warren.jobs where id = ${id}`,
  );
  return row;
};

test('a crash is charged to the jobs that ran in the process, and not to one in quarantine', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const ran = await orphan(fleet, 1);
  const quarantined = await orphan(fleet, 2);
  const claims = await fleet.database.query((sql) =>
    takeOverJobs(
      sql,
      [ran, quarantined].map((id) => ({ id, owner: '4711' })),
      { owner: '1', claimNumber: 1, types: '{test-job}' },
    ),
  );
  expect(claims.map(({ crashes, attempt }) => [crashes, attempt]).sort()).toEqual([
    [2, 1],
    [2, 2],
  ]);
  expect((await fleet.job(ran)).errors).toHaveLength(1);
  expect((await fleet.job(quarantined)).errors).toHaveLength(0);
});

test('a job that was claimed and not started when its worker died keeps its attempt, and is under suspicion all the same', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const started = await orphan(fleet, 0);
  const claimed = await orphan(fleet, 0, 2);
  const rescued = await orphan(fleet, 0, 2);
  await fleet.database.query((sql) =>
    takeOverJobs(
      sql,
      [started, claimed].map((id) => ({ id, owner: '4711' })),
      { owner: '1', claimNumber: 1, types: '{test-job}' },
    ),
  );
  await fleet.database.query((sql) => rescueJobs(sql, ['4711'], 10));
  expect(await crashesOf(fleet, started)).toEqual({
    crashes: 1,
    attempt: 2,
    maxAttempts: 4,
    state: 'running',
  });
  expect(await crashesOf(fleet, claimed)).toEqual({
    crashes: 1,
    attempt: 1,
    maxAttempts: 3,
    state: 'running',
  });
  expect(await crashesOf(fleet, rescued)).toEqual({
    crashes: 1,
    attempt: 0,
    maxAttempts: 3,
    state: 'available',
  });
});

test('a job that was to be cancelled and had not started is cancelled uncharged, whoever finds it', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const found = [await orphan(fleet, 0, 2), await orphan(fleet, 0, 2)];
  await fleet.sql((sql) => sql`update warren.jobs set cancel_requested_at = now()`);
  const [first = '', second = ''] = found;
  await fleet.database.query((sql) =>
    takeOverJobs(sql, [{ id: first, owner: '4711' }], { owner: '1', claimNumber: 1, types: '{test-job}' }),
  );
  await fleet.database.query((sql) => rescueJobs(sql, ['4711'], 10));
  for (const id of [first, second])
    expect(await crashesOf(fleet, id)).toEqual({
      crashes: 1,
      attempt: 0,
      maxAttempts: 3,
      state: 'cancelled',
    });
});

test('the rescuer does not charge a job in quarantine either', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const ran = await orphan(fleet, 0);
  const quarantined = await orphan(fleet, 2);
  await fleet.database.query((sql) => rescueJobs(sql, ['4711'], 10));
  expect(await crashesOf(fleet, ran)).toEqual({ crashes: 1, attempt: 1, maxAttempts: 4, state: 'available' });
  expect(await crashesOf(fleet, quarantined)).toEqual({
    crashes: 2,
    attempt: 0,
    maxAttempts: 3,
    state: 'available',
  });
});
