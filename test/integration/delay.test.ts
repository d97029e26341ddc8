import { afterAll, beforeAll, expect, test } from 'vitest';
import { cancelJob } from '../../src/shared/postgres/statements/control.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';

let fleet: Fleet;
const runs: string[] = [];

const definition = testJob(async (_args, { jobId }) => {
  runs.push(jobId);
});

beforeAll(async () => {
  fleet = await startFleet(definition);
  await fleet.startWorker();
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

test('a delayed job runs when its time has come and not before', async () => {
  const { job: waiting } = await fleet.enqueuer.enqueue({ definition, args: {}, delayMs: 700 });
  expect(waiting).toMatchObject({ state: 'scheduled', attempt: 0 });
  expect(waiting.runAt.getTime() - waiting.createdAt.getTime()).toBe(700);
  const job = await fleet.until(waiting.id, 'completed');
  expect(job.startedAt?.getTime()).toBeGreaterThanOrEqual(job.runAt.getTime());
  expect(job.attempt).toBe(1);
});

test('short delays are kept as well: the scheduler is told of them', async () => {
  const late: number[] = [];
  for (let n = 0; n < 20; n += 1) {
    const job = await fleet.until(await fleet.enqueue({}, { delayMs: 20 }), 'completed');
    late.push((job.startedAt?.getTime() ?? 0) - job.runAt.getTime());
  }
  // Unannounced, each would wait for the scheduler's next look, which comes half a second after the one that found the job before it.
  expect(Math.min(...late)).toBeGreaterThanOrEqual(0);
  expect(Math.min(...late)).toBeLessThan(250);
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
  const id = await fleet.enqueue({}, { delayMs: 3_600_000 });
  expect(await fleet.database.query((sql) => cancelJob(sql, id))).toBe('cancelled');
  await fleet.sql((sql) => sql`update warren.jobs set run_at = now() where id = ${id}`);
  const later = await fleet.enqueue({}, { delayMs: 100 });
  await fleet.until(later, 'completed');
  expect(await fleet.job(id)).toMatchObject({ state: 'cancelled', attempt: 0, startedAt: null });
  expect(runs).not.toContain(id);
});
