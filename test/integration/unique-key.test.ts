import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { insertJobs } from '../../src/shared/postgres/statements/insert.ts';
import { eventually } from '../support/eventually.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';

const flaky = testJob(async (_args, { attempt }) => {
  if (attempt < 3) throw new Error('not yet');
});
const other = testJob(async () => {}, { type: 'other-job' });
let fleet: Fleet;

beforeAll(async () => {
  fleet = await startFleet(flaky, other);
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

test('of fifty enqueues at once with one unique key one makes the job, and all get its id', async () => {
  const answers = await Promise.all(
    Array.from({ length: 50 }, () =>
      fleet.enqueuer.enqueue({ definition: flaky, args: {}, uniqueKey: 'race' }),
    ),
  );
  expect(new Set(answers.map(({ job }) => job.id)).size).toBe(1);
  expect(answers.filter(({ created }) => created)).toHaveLength(1);
  const rows = await fleet.sql((sql) => sql`select id from warren.jobs where unique_key = 'race'`);
  expect(rows).toHaveLength(1);
});

test('a batch gives the id of the job that holds the key, in its place', async () => {
  const held = await fleet.enqueue({}, { uniqueKey: 'held' });
  const ids = await fleet.enqueuer.enqueueBatch([
    { definition: flaky, args: {} },
    { definition: flaky, args: {}, uniqueKey: 'held' },
    { definition: flaky, args: {}, uniqueKey: 'new' },
    { definition: flaky, args: {}, uniqueKey: 'new' },
  ]);
  expect(ids[1]).toBe(held);
  expect(ids[3]).toBe(ids[2]);
  expect(new Set(ids).size).toBe(3);
});

test('a unique key belongs to its job type', async () => {
  const one = await fleet.enqueue({}, { uniqueKey: 'shared' });
  expect(await fleet.enqueue({}, { type: 'other-job', uniqueKey: 'shared' })).not.toBe(one);
});

test('a job that is retried does not stand in its own way, and its end frees the key', async () => {
  const id = await fleet.enqueue({}, { uniqueKey: 'again' });
  const worker = await fleet.startWorker();
  expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 3, uniqueKey: 'again' });
  await fleet.stopWorker(worker);
  const next = await fleet.enqueuer.enqueue({ definition: flaky, args: {}, uniqueKey: 'again' });
  expect(next).toMatchObject({ created: true });
  expect(next.job.id).not.toBe(id);
});

test('batches with the same keys in opposite orders do not lock each other out', async () => {
  const enqueue = (keys: readonly string[]) =>
    fleet.enqueuer.enqueueBatch(keys.map((uniqueKey) => ({ definition: other, args: {}, uniqueKey })));
  const stranger = postgres(fleet.testDatabase.url, { max: 1 });
  // Both batches must wait in the middle, for a key that a stranger has inserted and takes back.
  const batches = await stranger
    .begin(async (transaction) => {
      await insertJobs(transaction, [
        { type: 'other-job', queue: 'default', args: {}, maxAttempts: 1, uniqueKey: 'middle' },
      ]);
      const both = [enqueue(['first', 'middle', 'last']), enqueue(['last', 'middle', 'first'])];
      await eventually(waitingForLocks, (count) => count === 2);
      throw both;
    })
    .catch((both: Promise<string[]>[]) => both);
  const [ids = [], reversed = []] = await Promise.all(batches);
  expect(new Set(ids).size).toBe(3);
  expect(reversed).toEqual(ids.toReversed());
  await stranger.end();
});

async function waitingForLocks(): Promise<number> {
  const rows = await fleet.sql(
    (sql) => sql`
      select 1 from pg_stat_activity
      where datname = current_database() and application_name = 'fleet' and wait_event_type = 'Lock'`,
  );
  return rows.length;
}
