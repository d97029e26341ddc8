import { expect, test } from 'vitest';
import { closeConnections } from '../support/broker.ts';
import { listen } from '../support/events.ts';
import { startFleet, testJob } from '../support/fleet.ts';

const owner = 'warren-worker@test:1';

test('a job whose worker lost its connection to RabbitMQ, but lives, is started nowhere else and ends once', async () => {
  let runs = 0;
  const release = Promise.withResolvers<void>();
  await using fleet = await startFleet(
    testJob(async () => {
      runs += 1;
      await release.promise;
      return 'once';
    }),
  );
  await fleet.startWorker();
  const id = await fleet.enqueue();
  await fleet.until(id, 'running');
  await fleet.startWorker();
  using suppressed = listen(fleet.events, 'delivery.suppressed');
  await closeConnections(fleet.vhost, owner);
  const { jobId, reason } = await suppressed.first();
  expect(jobId).toBe(id);
  expect(reason).toMatch(/^runs-(here|elsewhere)$/);
  expect(await fleet.job(id)).toMatchObject({ state: 'running', attempt: 1 });
  release.resolve();
  expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1, output: 'once', errors: [] });
  expect(runs).toBe(1);
});

test('a job that is handed back after its message was spent elsewhere runs again all the same', async () => {
  const attempts: number[] = [];
  await using fleet = await startFleet(
    testJob(async (_args, { attempt, signal }) => {
      attempts.push(attempt);
      if (attempts.length === 1) await new Promise((_, reject) => signal.addEventListener('abort', reject));
    }),
  );
  const first = await fleet.startWorker({ DRAIN_TIMEOUT_MS: '0' });
  const id = await fleet.enqueue();
  await fleet.until(id, 'running');
  await fleet.startWorker();
  using suppressed = listen(fleet.events, 'delivery.suppressed');
  await closeConnections(fleet.vhost, owner);
  await suppressed.first();
  await fleet.stopWorker(first);
  expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1, errors: [] });
  expect(attempts).toEqual([1, 1]);
});
