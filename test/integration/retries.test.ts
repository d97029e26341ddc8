import { expect, test } from 'vitest';
import { startFleet, testJob } from '../support/fleet.ts';

test('a job that fails twice and then succeeds has attempt 3 and two errors, with growing waits between', async () => {
  const startedAt: number[] = [];
  const flaky = testJob(
    async (_args, { attempt }) => {
      startedAt.push(performance.now());
      if (attempt < 3) throw new Error(`failure ${attempt}`);
      return { done: true };
    },
    { backoffMs: (attempt) => 50 * 3 ** attempt },
  );
  await using fleet = await startFleet(flaky);
  await fleet.startWorker();
  const job = await fleet.until(await fleet.enqueue());

  expect(job).toMatchObject({ state: 'completed', attempt: 3, output: { done: true } });
  expect(job.errors.map(({ attempt, message }) => [attempt, message])).toEqual([
    [1, 'Error: failure 1'],
    [2, 'Error: failure 2'],
  ]);
  const [first = 0, second = 0, third = 0] = startedAt;
  expect(third - second).toBeGreaterThan(second - first);
  expect(second - first).toBeGreaterThanOrEqual(149);
});

test('a job that always fails is discarded after its last attempt', async () => {
  let runs = 0;
  const hopeless = testJob(async () => {
    runs += 1;
    throw new Error('never');
  });
  await using fleet = await startFleet(hopeless);
  await fleet.startWorker();
  const job = await fleet.until(await fleet.enqueue({}, { maxAttempts: 3 }));

  expect(job).toMatchObject({ state: 'discarded', attempt: 3, maxAttempts: 3 });
  expect(job.errors).toHaveLength(3);
  expect(job.finishedAt).toBeInstanceOf(Date);
  expect(runs).toBe(3);
});
