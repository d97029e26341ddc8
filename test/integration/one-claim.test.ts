import { expect, test } from 'vitest';
import { claimJobs } from '../../src/shared/postgres/jobs.ts';
import type { Presence } from '../../src/shared/postgres/presence.ts';
import { Claimer } from '../../src/worker/claimer.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';

/** A claimer of a worker that only has a number: its lock is free, but nobody asks. */
function claimerOf(fleet: Fleet): Claimer {
  return new Claimer({ database: fleet.database, presence: { held: true, owner: '7' } as Presence });
}

test('two messages of one orphan that come back together start it once', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const id = await fleet.enqueue();
  await fleet.database.query((sql) => claimJobs(sql, [id], { owner: '4711', batch: 1 }));
  const claimer = claimerOf(fleet);
  const results = await Promise.all([1, 2, 3].map(() => claimer.claim({ id, redelivered: true })));
  expect(results.filter((result) => 'fence' in result)).toHaveLength(1);
  expect(await fleet.job(id)).toMatchObject({ state: 'running', attempt: 1 });
});

test('a first delivery does not take over a running job, whatever its owner', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const id = await fleet.enqueue();
  await fleet.database.query((sql) => claimJobs(sql, [id], { owner: '4711', batch: 1 }));
  expect(await claimerOf(fleet).claim({ id, redelivered: false })).toEqual({ reason: 'runs-elsewhere' });
});

test('a job that runs here is not claimed a second time, with a message or without', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const id = await fleet.enqueue();
  const claimer = claimerOf(fleet);
  const first = await claimer.claim({ id, redelivered: false });
  await fleet.sql((sql) => sql`update warren.jobs set state = 'available' where id = ${id}`); // a false rescue
  expect(await claimer.claim({ id, redelivered: true })).toEqual({ reason: 'runs-here' });
  expect(await claimer.claimNext([{ queue: 'default', slots: 5 }])).toEqual([]);
  if ('fence' in first) claimer.release(first);
  expect(await claimer.claimNext([{ queue: 'default', slots: 5 }])).toHaveLength(1);
});

test('a message and the lane that come to one job together claim it once', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  for (let round = 0; round < 20; round += 1) {
    const id = await fleet.enqueue();
    const claimer = claimerOf(fleet);
    const [byLane, byMessage] = await Promise.all([
      claimer.claimNext([{ queue: 'default', slots: 1 }]),
      claimer.claim({ id, redelivered: false }),
    ]);
    expect(byLane.length + ('fence' in byMessage ? 1 : 0)).toBe(1);
  }
});
