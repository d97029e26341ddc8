import postgres from 'postgres';
import { expect, test } from 'vitest';
import { enqueueInTransaction } from '../../src/queue/enqueue-in-transaction.ts';
import { InvalidInput } from '../../src/shared/base/errors.ts';
import type { Enqueued } from '../../src/shared/job/job.ts';
import { startFleet, testJob } from '../support/fleet.ts';

const runs: string[] = [];
const job = testJob(async (_args, { jobId }) => {
  runs.push(jobId);
});

test('a job that is enqueued in a transaction of the caller exists if and only if the transaction commits', async () => {
  await using fleet = await startFleet(job);
  await fleet.startWorker();
  const sql = postgres(fleet.testDatabase.url, { max: 1 });
  const rolledBack: Enqueued[] = [];
  await expect(
    sql.begin(async (transaction) => {
      rolledBack.push(...(await enqueueInTransaction(transaction, [{ definition: job, args: {} }])));
      throw new Error('the caller thinks better of it');
    }),
  ).rejects.toThrow('thinks better');
  const [committed] = await sql.begin(async (transaction) => {
    await transaction`create table business (id int)`;
    return await enqueueInTransaction(transaction, [{ definition: job, args: {} }]);
  });
  await sql.end();

  expect(await fleet.until(committed?.job.id ?? '')).toMatchObject({ state: 'completed', attempt: 1 });
  expect(rolledBack).toHaveLength(1);
  await expect(fleet.job(rolledBack[0]?.job.id ?? '')).rejects.toThrow('there is no job');
  expect(runs).toEqual([committed?.job.id]);
});

test('in a transaction too, a held unique key gives no second job and arguments that do not fit are refused', async () => {
  await using fleet = await startFleet(job);
  const enqueued = await fleet.sql(async (sql) =>
    sql.begin(async (transaction) => {
      const request = { definition: job, args: {}, uniqueKey: 'once' };
      const refused = enqueueInTransaction(transaction, [
        { ...request, args: 'text' as unknown as object },
      ] as never);
      await expect(refused).rejects.toThrow(InvalidInput);
      return await enqueueInTransaction(transaction, [request, request, { ...request, uniqueKey: 'other' }]);
    }),
  );
  const ids = enqueued.map((each) => each.job.id);
  expect(enqueued.map(({ created }) => created)).toEqual([true, false, true]);
  expect(ids[1]).toBe(ids[0]);
  expect(ids[2]).not.toBe(ids[0]);
  expect(enqueued[1]?.job).toEqual({ ...enqueued[0]?.job, uniqueKey: 'once' });
});

test('a job is not enqueued where the transaction has ended, as it does when its connection is lost', async () => {
  await using fleet = await startFleet(job);
  const enqueued = fleet.sql(async (sql) =>
    sql.begin(async (transaction) => {
      await transaction`rollback`;
      return await enqueueInTransaction(transaction, [{ definition: job, args: {} }]);
    }),
  );
  await expect(enqueued).rejects.toMatchObject({ code: '25P01' });
  expect(await fleet.sql((sql) => sql`select id from warren.jobs`)).toEqual([]);
});

test('a job belongs to the savepoint in which it was enqueued', async () => {
  await using fleet = await startFleet(job);
  const request = { definition: job, args: {} };
  const kept = await fleet.sql(async (sql) =>
    sql.begin(async (transaction) => {
      const [first] = await enqueueInTransaction(transaction, [request]);
      const undone = transaction.savepoint(async (savepoint) => {
        await enqueueInTransaction(savepoint, [request]);
        throw new Error('undone');
      });
      await expect(undone).rejects.toThrow('undone');
      const [third] = await transaction.savepoint((savepoint) => enqueueInTransaction(savepoint, [request]));
      return [first?.job.id, third?.job.id];
    }),
  );
  const rows = await fleet.sql((sql) => sql`select id from warren.jobs order by id`);
  expect(rows.map(({ id }) => id)).toEqual(kept);
});

test.each([
  ['read committed', { created: false }],
  ['repeatable read', { code: '40001' }],
  ['serializable', { code: '40001' }],
])('at %s, a unique key that was taken after the snapshot comes to %o', async (level, expected) => {
  await using fleet = await startFleet(job);
  const outcome = await fleet.sql(async (sql) =>
    sql
      .begin(`isolation level ${level}`, async (transaction) => {
        await transaction`select from warren.jobs`; // takes the snapshot
        await fleet.enqueue({}, { uniqueKey: 'once' });
        const [enqueued] = await enqueueInTransaction(transaction, [
          { definition: job, args: {}, uniqueKey: 'once' },
        ]);
        return enqueued;
      })
      .catch((error: unknown) => error),
  );
  expect(outcome).toMatchObject(expected);
});
