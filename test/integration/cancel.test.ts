import { once } from 'node:events';
import { expect, test } from 'vitest';
import { cancelJob } from '../../src/shared/postgres/statements/control.ts';
import { startFleet, testJob } from '../support/fleet.ts';

test('a waiting job is cancelled at once, and its message starts nothing', async () => {
  let runs = 0;
  await using fleet = await startFleet(
    testJob(async () => {
      runs += 1;
    }),
  );
  const id = await fleet.enqueue();
  expect(await fleet.database.query((sql) => cancelJob(sql, id))).toBe('cancelled');
  await fleet.startWorker();
  const marker = await fleet.enqueue();
  await fleet.until(marker, 'completed');
  expect(await fleet.job(id)).toMatchObject({ state: 'cancelled', attempt: 0 });
  expect(runs).toBe(1);
});

test('a running job lets go when it is asked to, whichever worker has it', async () => {
  const started = Promise.withResolvers<void>();
  await using fleet = await startFleet(
    testJob(async (_args, { signal }) => {
      started.resolve();
      await once(signal, 'abort');
      signal.throwIfAborted();
    }),
  );
  await fleet.startWorker();
  await fleet.startWorker();
  const id = await fleet.enqueue();
  await started.promise;
  expect(await fleet.database.query((sql) => cancelJob(sql, id))).toBe('running');
  expect(await fleet.until(id)).toMatchObject({ state: 'cancelled', attempt: 1, errors: [] });
});

test('a handler that ignores its signal loses its job all the same', async () => {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  await using fleet = await startFleet(
    testJob(async () => {
      started.resolve();
      await released;
    }),
  );
  await fleet.startWorker();
  const id = await fleet.enqueue();
  await started.promise;
  await fleet.database.query((sql) => cancelJob(sql, id));
  expect(await fleet.until(id)).toMatchObject({ state: 'cancelled' });
  release();
});

test('a finished job is not cancelled', async () => {
  await using fleet = await startFleet(testJob(async () => 'done'));
  await fleet.startWorker();
  const id = await fleet.enqueue();
  await fleet.until(id, 'completed');
  expect(await fleet.database.query((sql) => cancelJob(sql, id))).toBeNull();
  expect(await fleet.job(id)).toMatchObject({ state: 'completed', output: 'done' });
});
