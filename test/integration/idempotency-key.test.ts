import { afterAll, beforeAll, expect, test } from 'vitest';
import { InvalidInput } from '../../src/shared/base/errors.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';

const definition = testJob(async () => {});
let fleet: Fleet;

beforeAll(async () => {
  fleet = await startFleet(definition);
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

async function rowsWith(n: string): Promise<number> {
  return (await fleet.sql((sql) => sql`select id from warren.jobs where args->>'n' = ${n}`)).length;
}

test('a hundred requests at once with one key make one job, and all get it', async () => {
  const request = { definition, args: { n: 'race' } };
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => fleet.enqueuer.enqueue(request, 'race')),
  );
  expect(new Set(answers.map(({ job }) => job.id)).size).toBe(1);
  expect(answers.every(({ created }) => created)).toBe(true); // the same answer, as if for the first time
  expect(await rowsWith('race')).toBe(1);
});

test('a key that was used for another request is refused, alone and in the same turn', async () => {
  const request = (n: string) => fleet.enqueuer.enqueue({ definition, args: { n } }, 'other body');
  const [first, second] = await Promise.allSettled([request('one'), request('two')]);
  expect(first.status).toBe('fulfilled');
  expect(second).toMatchObject({ status: 'rejected', reason: { code: 'idempotency_key_reused' } });
  await expect(request('three')).rejects.toThrow(InvalidInput);
  await expect(
    fleet.enqueuer.enqueueBatch(
      [
        { definition, args: { n: 'one' } },
        { definition, args: { n: 'one' } },
      ],
      'other body',
    ),
  ).rejects.toThrow(InvalidInput);
  expect([await rowsWith('one'), await rowsWith('two'), await rowsWith('three')]).toEqual([1, 0, 0]);
});

test('the same batch again answers the same ids in the same order', async () => {
  const requests = ['a', 'b', 'c'].map((n) => ({ definition, args: { n: `batch ${n}` } }));
  const ids = await fleet.enqueuer.enqueueBatch(requests, 'batch');
  expect(new Set(ids).size).toBe(3);
  expect(await fleet.enqueuer.enqueueBatch(requests, 'batch')).toEqual(ids);
  expect(await rowsWith('batch a')).toBe(1);
});

test('a key stays with its job after the job has ended', async () => {
  const request = { definition, args: { n: 'ended' } };
  const { job } = await fleet.enqueuer.enqueue(request, 'ended');
  const worker = await fleet.startWorker();
  await fleet.until(job.id, 'completed');
  await fleet.stopWorker(worker);
  const again = await fleet.enqueuer.enqueue(request, 'ended');
  expect(again).toMatchObject({ created: true, job: { id: job.id, state: 'completed' } });
});

test('with a unique key that another job holds, the key stands for the holder from then on', async () => {
  const holder = await fleet.enqueue({ n: 'holder' }, { uniqueKey: 'held' });
  const request = { definition, args: { n: 'loser' }, uniqueKey: 'held' };
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => fleet.enqueuer.enqueue(request, 'unique')),
  );
  expect(new Set(answers.map(({ job }) => job.id))).toEqual(new Set([holder]));
  expect(await fleet.enqueuer.enqueueBatch([request, request], 'unique batch')).toEqual([holder, holder]);
  expect(await fleet.enqueuer.enqueueBatch([request, request], 'unique batch')).toEqual([holder, holder]);
  expect(await rowsWith('loser')).toBe(0);
});

test('a key whose job was never made does not stay spent: the next request makes it', async () => {
  const request = { definition, args: { n: 'never made' }, uniqueKey: 'never made' };
  const { job } = await fleet.enqueuer.enqueue(request, 'never made');
  await fleet.sql((sql) => sql`delete from warren.jobs where id = ${job.id}`);
  const again = await fleet.enqueuer.enqueue(request, 'never made');
  expect(again.created).toBe(true);
  expect((await fleet.enqueuer.enqueue(request, 'never made')).job.id).toBe(again.job.id);
  expect(await rowsWith('never made')).toBe(1);
});
