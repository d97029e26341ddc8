import { afterAll, beforeAll, expect, test } from 'vitest';
import { snooze } from '../../src/jobs/define.ts';
import { Unrecoverable } from '../../src/shared/base/errors.ts';
import type { Job } from '../../src/shared/job/job.ts';
import { listen } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';

class Declined extends Error {
  override readonly name = 'Declined';
}
class Busy extends Error {}

const started: string[] = [];
const plain = testJob(async (_args, { jobId }) => {
  started.push(jobId);
});
const failing = testJob(
  async () => {
    throw new Error('as always');
  },
  { type: 'failing', totalTimeoutMs: 1_500, maxAttempts: 100, backoffMs: () => 100 },
);
/** Fails or is snoozed in good time, and would run again too late. */
const patient = testJob(
  async ({ snoozes }) => {
    if (snoozes === true) return snooze(7_200_000);
    throw new Error('not yet');
  },
  { type: 'patient', totalTimeoutMs: 3_600_000, backoffMs: () => 7_200_000 },
);
const hanging = testJob(
  async (_args, { signal }) => {
    await new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
    });
  },
  { type: 'hanging', totalTimeoutMs: 1_000, timeoutMs: 60_000 },
);
const choosy = testJob(
  async ({ fails }) => {
    if (fails === 'declined') throw new Declined('no money');
    if (fails === 'busy') throw new Busy('later');
    if (fails === 'unrecoverable') throw new Unrecoverable('no such customer');
    throw new Error('something else');
  },
  {
    type: 'choosy',
    maxAttempts: 3,
    retry: [
      { on: Declined, maxAttempts: 1 },
      { on: 'Busy', maxAttempts: 2, delayMs: 600_000 },
    ],
  },
);
let fleet: Fleet;

beforeAll(async () => {
  fleet = await startFleet(plain, failing, patient, hanging, choosy);
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

/** Runs jobs of the type until one has started within its time over all attempts: on a machine that stands still some come too late for that. */
async function untilStartedInTime(type: string): Promise<Job> {
  return await eventually(
    async () => await fleet.until(await fleet.enqueue({}, { type }), 'discarded'),
    ({ attempt }) => attempt > 0,
  );
}

const inMs = (ms: number) => new Date(Date.now() + ms).toISOString();

test('what has expired is never started, is discarded with the reason, and counted by itself', async () => {
  const expired: string[] = [];
  fleet.events.subscribe('job.expired', ({ jobId }) => expired.push(jobId));
  const enqueue = (expiresAt: string, options = {}) => fleet.enqueue({}, { expiresAt, ...options });
  const late = await enqueue(inMs(-1));
  const scheduled = await enqueue(inMs(50), { delayMs: 600_000 });
  const held = await enqueue(inMs(-1), { limits: ['a-limit'] }).catch(() => undefined);
  const inTime = await enqueue(inMs(600_000));
  const worker = await fleet.startWorker();
  for (const id of [late, scheduled, held]) {
    if (id === undefined) continue;
    const job = await fleet.until(id, 'discarded');
    expect(job).toMatchObject({ attempt: 0, startedAt: null });
    expect(job.errors.at(-1)?.message).toMatch(/^expired: it was not started by "/);
  }
  await fleet.until(inTime, 'completed');
  expect(started).toEqual([inTime]);
  expect(expired).toEqual(expect.arrayContaining([late, scheduled]));
  expect(expired).not.toContain(inTime);
  await fleet.stopWorker(worker);
});

test('a job that has started once is not expired by its retry', async () => {
  const id = await fleet.enqueue({}, { expiresAt: inMs(600_000) });
  await fleet.sql(
    (sql) => sql`
      update warren.jobs set started_at = now(), attempt = 1, expires_at = now() - interval '1 s' where id = ${id}::text::bigint`,
  );
  const worker = await fleet.startWorker();
  expect(await fleet.until(id, 'completed')).toMatchObject({ attempt: 2 });
  await fleet.stopWorker(worker);
});

test('none expires while a crash of Postgres may have undone its claim', async () => {
  const id = await fleet.enqueue({}, { expiresAt: inMs(-1) });
  const { expireJobs } = await import('../../src/shared/postgres/statements/expiry.ts');
  const rounds = await fleet.sql(async (sql) => {
    await sql`truncate warren.claims_open`;
    const closed = await expireJobs(sql, 10);
    await sql`insert into warren.claims_open default values`;
    return { closed, open: await expireJobs(sql, 10) };
  });
  expect(rounds.closed).toEqual([]);
  expect(rounds.open.map((job) => job.id)).toEqual([id]);
});

test('there is no further attempt after the time over all attempts', async () => {
  const late = await fleet.enqueue({}, { type: 'failing' });
  await fleet.sql((sql) => sql`update warren.jobs set deadline_at = now() where id = ${late}::text::bigint`);
  const worker = await fleet.startWorker();
  const { attempt, errors } = await fleet.until(late, 'discarded');
  expect(attempt).toBe(0);
  expect(errors.at(-1)?.message).toMatch(/^timeout: its time over all attempts ran out at "/);

  const job = await untilStartedInTime('failing');
  expect(job.errors.at(-1)?.message).toMatch(/its time over all attempts/);
  expect(job.attempt).toBeLessThan(100);
  const [row] = await fleet.sql(
    (sql) =>
      sql`select started_at < deadline_at as "inTime" from warren.jobs where id = ${job.id}::text::bigint`,
  );
  expect(row?.['inTime']).toBe(true);
  await fleet.stopWorker(worker);
});

test('what would run again only after its time over all attempts is discarded at once', async () => {
  const worker = await fleet.startWorker();
  using finished = listen(fleet.events, 'attempt.finished');
  const reason = 'the next attempt would begin after its time over all attempts';
  const failed = await fleet.until(await fleet.enqueue({}, { type: 'patient' }), 'discarded');
  expect(failed).toMatchObject({
    attempt: 1,
    errors: [{ message: `Error: not yet (not tried again: ${reason})` }],
  });
  expect(finished.all).toMatchObject([{ outcome: 'discarded', error: failed.errors[0]?.message }]);
  const snoozed = await fleet.until(await fleet.enqueue({ snoozes: true }, { type: 'patient' }), 'discarded');
  expect(snoozed.errors).toMatchObject([{ message: `timeout: ${reason}` }]);
  await fleet.stopWorker(worker);
});

test('the time-out of an attempt is cut to what is left over all attempts', async () => {
  const worker = await fleet.startWorker();
  const job = await untilStartedInTime('hanging');
  expect(job.attempt).toBe(1);
  const [first] = job.errors;
  const given = Number(/took longer than (\d+) ms/.exec(first?.message ?? '')?.[1]);
  expect(given).toBeLessThanOrEqual(1_000);
  await fleet.stopWorker(worker);
});

test('errors are retried as their rule says, others as usual, unrecoverable ones never', async () => {
  const worker = await fleet.startWorker();
  const enqueue = (fails: string) => fleet.enqueue({ fails }, { type: 'choosy' });
  const [declined, busy, unrecoverable, other] = await Promise.all(
    ['declined', 'busy', 'unrecoverable', 'other'].map(enqueue),
  );
  expect(await fleet.until(declined ?? '', 'discarded')).toMatchObject({ attempt: 1 });
  expect(await fleet.until(unrecoverable ?? '', 'discarded')).toMatchObject({ attempt: 1 });
  expect(await fleet.until(other ?? '', 'discarded')).toMatchObject({ attempt: 3 });
  const waiting = await fleet.until(busy ?? '', 'retryable');
  expect(waiting.runAt.getTime() - (waiting.startedAt?.getTime() ?? 0)).toBeGreaterThan(590_000);
  await fleet.stopWorker(worker);
});
