// Every way in which a job can end is told of once, by whoever commits it, with the state that the row has.
import { expect, test } from 'vitest';
import { cancel } from '../../src/jobs/define.ts';
import { claimJobs } from '../../src/shared/postgres/statements/claim.ts';
import { startApi } from '../support/api.ts';
import { listen } from '../support/events.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';

const fleetOfEveryEnd = () =>
  startFleet(
    testJob(async ({ how }) => {
      if (how === 'throws') throw new Error('no');
      return how === 'cancels' ? cancel('pointless') : 'done';
    }),
  );

/** A running job that somebody has asked to cancel, of a worker that is dead. */
async function cancelledOrphan(fleet: Fleet): Promise<string> {
  const id = await fleet.enqueue({}, { requestId: 'of the orphan' });
  await fleet.database.query((sql) =>
    claimJobs(sql, [id], { owner: '4711', claimNumber: 1, types: '{test-job}' }),
  );
  await fleet.sql((sql) => sql`update warren.jobs set cancel_requested_at = now() where id = ${id}`);
  return id;
}

test('a job that completes, fails for good, cancels itself or has a dead owner: one end each', async () => {
  await using fleet = await fleetOfEveryEnd();
  using ends = listen(fleet.events, 'job.ended');
  const orphan = await cancelledOrphan(fleet);
  const completed = await fleet.enqueue();
  const discarded = await fleet.enqueue({ how: 'throws' }, { maxAttempts: 2 });
  const cancelled = await fleet.enqueue({ how: 'cancels' });
  await fleet.startWorker();
  const ids = [orphan, completed, discarded, cancelled];
  await ends.count(ids.length);
  for (const id of ids) await fleet.until(id);
  const told = Object.fromEntries(
    ends.all.map(({ jobId, type, state, error, requestId }) => [jobId, { type, state, error, requestId }]),
  );
  expect(told).toEqual({
    [orphan]: { type: 'test-job', state: 'cancelled', error: undefined, requestId: 'of the orphan' },
    [completed]: { type: 'test-job', state: 'completed', error: undefined },
    [discarded]: { type: 'test-job', state: 'discarded', error: expect.stringContaining('no') },
    [cancelled]: { type: 'test-job', state: 'cancelled', error: 'pointless' },
  });
  expect(ends.all).toHaveLength(ids.length);
});

test('a waiting job that the API cancels is told of by the API, a running one by its worker, once', async () => {
  const started = Promise.withResolvers<void>();
  await using fleet = await startFleet(
    testJob(
      (_args, { signal }) =>
        new Promise((_, reject) => {
          started.resolve();
          signal.addEventListener('abort', () => reject(signal.reason));
        }),
    ),
  );
  await using api = await startApi({
    databaseUrl: fleet.testDatabase.url,
    amqpUrl: fleet.vhost.url,
    events: fleet.events,
  });
  using ends = listen(fleet.events, 'job.ended');
  const waiting = await fleet.enqueue({}, { delayMs: 3_600_000 });
  expect((await api.post(`/v1/jobs/${waiting}/cancel`)).status).toBe(200);
  await fleet.startWorker();
  const running = await fleet.enqueue();
  await started.promise;
  expect((await api.post(`/v1/jobs/${running}/cancel`)).status).toBe(200);
  await fleet.until(running, 'cancelled');
  await ends.count(2);
  expect(ends.all.map(({ jobId, state }) => [jobId, state])).toEqual([
    [waiting, 'cancelled'],
    [running, 'cancelled'],
  ]);
  expect((await api.post(`/v1/jobs/${running}/cancel`)).status).toBe(409);
  expect(ends.all).toHaveLength(2);
});
