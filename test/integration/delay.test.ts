import { afterAll, beforeAll, expect, test } from 'vitest';
import { cancelJob } from '../../src/shared/postgres/statements/control.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';

let fleet: Fleet;
const runs: string[] = [];

beforeAll(async () => {
  fleet = await startFleet(
    testJob(async (_args, { jobId }) => {
      runs.push(jobId);
    }),
  );
  await fleet.startWorker();
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

test('a delayed job runs when its time has come and not before', async () => {
  const id = await fleet.enqueue({}, { delayMs: 700 });
  const waiting = await fleet.job(id);
  expect(waiting).toMatchObject({ state: 'scheduled', attempt: 0 });
  expect(waiting.runAt.getTime() - waiting.createdAt.getTime()).toBe(700);
  const job = await fleet.until(id, 'completed');
  expect(job.startedAt?.getTime()).toBeGreaterThanOrEqual(job.runAt.getTime());
  expect(job.attempt).toBe(1);
});

// Unannounced, each of the twenty would wait for the scheduler's next look, half a second away.
test('short delays are kept as well: the scheduler is told of them', { timeout: 5_000 }, async () => {
  for (let n = 0; n < 20; n += 1) {
    const job = await fleet.until(await fleet.enqueue({}, { delayMs: 20 }), 'completed');
    expect(job.startedAt?.getTime()).toBeGreaterThanOrEqual(job.runAt.getTime());
  }
});

test('a job with a time to run at waits for it; one whose time has passed runs at once', async () => {
  const future = await fleet.enqueue({}, { runAt: '2100-01-01T00:00:00Z', delayMs: 1 });
  const past = await fleet.enqueue({}, { runAt: '2000-01-01T00:00:00Z' });
  expect(await fleet.until(past)).toMatchObject({ state: 'completed' });
  expect(await fleet.job(future)).toMatchObject({
    state: 'scheduled',
    runAt: new Date('2100-01-01T00:00:00Z'),
  });
});

test('a delayed job that is cancelled before its time never runs', async () => {
  const id = await fleet.enqueue({}, { delayMs: 150 });
  expect(await fleet.database.query((sql) => cancelJob(sql, id))).toBe('cancelled');
  const later = await fleet.enqueue({}, { delayMs: 300 });
  await fleet.until(later, 'completed');
  expect(await fleet.job(id)).toMatchObject({ state: 'cancelled', attempt: 0, startedAt: null });
  expect(runs).not.toContain(id);
});
