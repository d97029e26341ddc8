import { expect, test } from 'vitest';
import type { Database } from '../../src/shared/postgres/database.ts';
import type { Presence } from '../../src/shared/postgres/presence.ts';
import type { Claim } from '../../src/shared/postgres/statements/claim.ts';
import { claimJobs } from '../../src/shared/postgres/statements/claim.ts';
import { ArgsRoom } from '../../src/worker/args-room.ts';
import type { ClaimResult } from '../../src/worker/claim-results.ts';
import { Claimer } from '../../src/worker/claimer.ts';
import { HeldJobs } from '../../src/worker/held-jobs.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';

/** Never aborts. */
const draining = new AbortController().signal;

/** A claimer of a worker that only has a number: its lock is free, but nobody asks. */
function claimerOf(fleet: Fleet, database: Pick<Database, 'query'> = fleet.database): Claimer {
  const presence = { held: true, owner: '7' } as Presence;
  const room = new ArgsRoom(1_048_576);
  return new Claimer({
    types: ['test-job'],
    database: database as Database,
    events: fleet.events,
    presence,
    room,
    held: new HeldJobs(room),
  });
}

const isClaimed = (result: ClaimResult | undefined) => result?.kind === 'claimed';

test('two messages of one orphan that come back together start it once', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const id = await fleet.enqueue();
  await fleet.database.query((sql) =>
    claimJobs(sql, [id], { owner: '4711', claimNumber: 1, types: '{test-job}' }),
  );
  const claimer = claimerOf(fleet);
  const results = await Promise.all([1, 2, 3].map(() => claimer.claim({ id, redelivered: true }, draining)));
  expect(results.filter(isClaimed)).toHaveLength(1);
  expect(await fleet.job(id)).toMatchObject({ state: 'running', attempt: 1 });
});

test('a first delivery does not take over a running job, whatever its owner', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const id = await fleet.enqueue();
  await fleet.database.query((sql) =>
    claimJobs(sql, [id], { owner: '4711', claimNumber: 1, types: '{test-job}' }),
  );
  expect(await claimerOf(fleet).claim({ id, redelivered: false }, draining)).toEqual({
    kind: 'refused',
    reason: 'runs-elsewhere',
  });
});

test('a job that runs here is not claimed a second time, with a message or without', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const id = await fleet.enqueue();
  const claimer = claimerOf(fleet);
  const first = await claimer.claim({ id, redelivered: false }, draining);
  await fleet.sql((sql) => sql`update warren.jobs set state = 'available' where id = ${id}`); // a false rescue
  expect(await claimer.claim({ id, redelivered: true }, draining)).toEqual({
    kind: 'refused',
    reason: 'runs-here',
  });
  expect(await claimer.claimNext([{ queue: 'default', slots: 5 }])).toEqual([]);
  if (first?.kind === 'claimed') claimer.release(first.claim);
  expect(await claimer.claimNext([{ queue: 'default', slots: 5 }])).toHaveLength(1);
});

test('a message and the lane that come to one job together claim it once', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  for (let round = 0; round < 20; round += 1) {
    const id = await fleet.enqueue();
    const claimer = claimerOf(fleet);
    const [byLane, byMessage] = await Promise.all([
      claimer.claimNext([{ queue: 'default', slots: 1 }]),
      claimer.claim({ id, redelivered: false }, draining),
    ]);
    expect(byLane.length + (isClaimed(byMessage) ? 1 : 0)).toBe(1);
  }
});

test('what the lane has claimed is not taken for a claim that was lost, though its answer comes later than the look at the row', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const id = await fleet.enqueue({}, { delayMs: 3_600_000 });
  const answered = Promise.withResolvers<void>();
  let byLane: Promise<Claim[]> | undefined;
  let queries = 0;
  const claimer: Claimer = claimerOf(fleet, {
    query: async (statement) => {
      queries += 1;
      if (queries === 2) {
        // between the claim by message, which found it scheduled, and the look at its row
        const claimed = Promise.withResolvers<void>();
        await fleet.sql(
          (sql) => sql`update warren.jobs set state = 'available', run_at = now() where id = ${id}`,
        );
        laneHasClaimed = claimed.resolve;
        byLane = claimer.claimNext([{ queue: 'default', slots: 1 }]);
        await claimed.promise;
        const standings = await fleet.database.query(statement);
        setImmediate(answered.resolve);
        return standings;
      }
      const answer = await fleet.database.query(statement);
      if (queries === 3) {
        laneHasClaimed();
        await answered.promise;
      }
      return answer;
    },
  });
  let laneHasClaimed = () => {};
  const byMessage = await claimer.claim({ id, redelivered: false }, draining);
  expect(byMessage).toEqual({ kind: 'refused', reason: 'runs-here' });
  expect(await byLane).toHaveLength(1);
  expect(await fleet.job(id)).toMatchObject({ state: 'running', attempt: 1 });
});
