import { expect, test } from 'vitest';
import { recordedActs } from '../../src/shared/job/transitions.ts';
import { claimJobs, reclaimJobs } from '../../src/shared/postgres/statements/claim.ts';
import type { Outcome } from '../../src/shared/postgres/statements/record.ts';
import { recordOutcomes } from '../../src/shared/postgres/statements/record.ts';
import { listen } from '../support/events.ts';
import { startFleet, testJob } from '../support/fleet.ts';

test('an outcome of an attempt that has lost its claim is refused and changes nothing', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const { database } = fleet;
  const id = await fleet.enqueue({}, { delayMs: 60_000 });
  await fleet.sql((sql) => sql`update warren.jobs set state = 'available'`);
  const [first] = await database.query((sql) =>
    claimJobs(sql, [id], { owner: '1', claimNumber: 1, types: '{test-job}' }),
  );
  const [second] = await database.query((sql) =>
    reclaimJobs(sql, [{ id, fence: 1 }], { owner: '1', claimNumber: 2 }),
  );
  expect([first?.fence, second?.fence]).toEqual([1, 2]);
  const row = () => fleet.sql((sql) => sql`select xmin, * from warren.jobs where id = ${id}`);
  const before = await row();
  for (const fence of [0, 1, 3])
    for (const act of recordedActs) {
      const late = { id, fence, act, delayMs: 0, output: 'late', error: 'late' };
      expect(await database.query((sql) => recordOutcomes(sql, [late], ['1']))).toEqual(new Map());
    }
  expect(await row()).toEqual(before);

  const current: Outcome = { id, fence: 2, act: 'complete', output: 'current' };
  expect(await database.query((sql) => recordOutcomes(sql, [current], ['1']))).toEqual(
    new Map([[id, { state: 'completed', gates: null }]]),
  );
  expect(
    await database.query((sql) => recordOutcomes(sql, [{ ...current, output: 'again' }], ['1'])),
  ).toEqual(new Map());
  expect(await fleet.job(id)).toMatchObject({ state: 'completed', output: 'current' });
});

test('a worker whose claim was taken from it reports the refused outcome and lets the row be', async () => {
  const release = Promise.withResolvers<void>();
  await using fleet = await startFleet(
    testJob(async () => {
      await release.promise;
    }),
  );
  await fleet.startWorker();
  using fenced = listen(fleet.events, 'attempt.fenced');
  const id = await fleet.enqueue();
  await fleet.until(id, 'running');
  await fleet.sql(
    (sql) =>
      sql`update warren.jobs set state = 'retryable', run_at = now() + interval '1 day', fence = fence + 1`,
  );
  release.resolve();
  expect(await fenced.first()).toEqual({ jobId: id, type: 'test-job', attempt: 1 });
  expect(await fleet.job(id)).toMatchObject({ state: 'retryable', output: null });
});
