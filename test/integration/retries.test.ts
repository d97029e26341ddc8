import { expect, test } from 'vitest';
import type { Job } from '../../src/shared/job/job.ts';
import { startApi } from '../support/api.ts';
import { listen } from '../support/events.ts';
import { startFleet, testJob } from '../support/fleet.ts';

test('a job that fails twice and then succeeds has attempt 3 and two errors, with growing waits between', async () => {
  const starts: Job[] = [];
  const flaky = testJob(
    async (_args, { jobId, attempt }) => {
      starts.push(await fleet.job(jobId));
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
  const waits = job.errors.map(({ at }, index) => {
    const { startedAt, runAt } = starts[index + 1] as Job;
    expect(startedAt?.getTime()).toBeGreaterThanOrEqual(runAt.getTime());
    return runAt.getTime() - Date.parse(at);
  });
  expect(waits).toEqual([150, 450]);
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

test('what was thrown keeps its stack and its causes, in the row, in the API and in what is logged', async () => {
  const failing = testJob(async () => {
    throw new TypeError('x.y is undefined', { cause: new Error('\u0000before') });
  });
  await using fleet = await startFleet(failing);
  await fleet.startWorker();
  await using api = await startApi({ databaseUrl: fleet.testDatabase.url, amqpUrl: fleet.vhost.url });
  using finished = listen(fleet.events, 'attempt.finished');
  using ended = listen(fleet.events, 'job.ended');
  const id = await fleet.enqueue({}, { maxAttempts: 2 });
  const origin = {
    stack: expect.stringMatching(/^ +at .*retries\.test\.ts/),
    causes: [{ message: 'Error: \ufffdbefore', stack: expect.stringContaining('retries.test.ts') }],
  };
  const error = (attempt: number) => ({
    attempt,
    at: expect.any(String),
    message: 'TypeError: x.y is undefined',
    ...origin,
  });
  expect((await fleet.until(id)).errors).toEqual([error(1), error(2)]);
  expect((await api.get(`/v1/jobs/${id}`)).body.job.errors).toEqual([error(1), error(2)]);
  await ended.first();
  expect(finished.all).toMatchObject([{ origin }, { origin }]);
  expect(ended.all).toMatchObject([{ state: 'discarded', origin }]);
});
