// Order: the jobs of a key run one after the other, first in, first out, retries included.
import { expect, test } from 'vitest';
import { startApi } from '../support/api.ts';
import { startFleet, startFleetWith, testJob } from '../support/fleet.ts';
import { insertHeld, untilCount } from '../support/held.ts';

/** Notes each start and end, as `<key>:<n>`, and fails at the attempts that its arguments name. */
function notingJob(notes: string[]) {
  return testJob(
    async ({ key, n, failures = 0 }, { attempt }) => {
      notes.push(`${key}:${n} starts`);
      await new Promise((resolve) => setImmediate(resolve));
      notes.push(`${key}:${n} ends`);
      if (attempt <= Number(failures)) throw new Error('once more');
    },
    { backoffMs: () => 5 },
  );
}

test('the jobs of a key run one at a time in their order, through retries, while other keys go on', async () => {
  const notes: string[] = [];
  await using fleet = await startFleet(notingJob(notes));
  const numbers = Array.from({ length: 15 }, (_, n) => n);
  const keys = ['a', 'b', 'c'];
  await insertHeld(
    fleet,
    numbers.flatMap((n) =>
      keys.map((key) => ({ orderingKey: key, priority: n % 10, args: { key, n, failures: n % 3 } })),
    ),
  );
  await Promise.all([fleet.startWorker(), fleet.startWorker()]);
  await untilCount(fleet, 'completed', 45);
  for (const key of keys)
    expect(notes.filter((note) => note.startsWith(key))).toEqual(
      numbers.flatMap((n) =>
        Array.from({ length: 1 + (n % 3) }, () => [`${key}:${n} starts`, `${key}:${n} ends`]).flat(),
      ),
    );
});

test('a key goes on after a discarded job, where its queue says nothing', async () => {
  const notes: string[] = [];
  await using fleet = await startFleet(notingJob(notes));
  await insertHeld(fleet, [
    { orderingKey: 'a', args: { key: 'a', n: 1, failures: 9 } },
    { orderingKey: 'a', args: { key: 'a', n: 2 } },
  ]);
  await fleet.startWorker();
  await untilCount(fleet, 'completed', 1);
  await untilCount(fleet, 'discarded', 1);
});

test('a key stops at a discarded job, where its queue says so, until that job is retried', async () => {
  const notes: string[] = [];
  await using fleet = await startFleetWith({ onDiscard: 'stop' }, notingJob(notes));
  await using api = await startApi({ databaseUrl: fleet.testDatabase.url, amqpUrl: fleet.vhost.url });
  const [stopped = ''] = await insertHeld(fleet, [
    { orderingKey: 'a', args: { key: 'a', n: 1, failures: 5 } },
    { orderingKey: 'a', args: { key: 'a', n: 2 } },
    { orderingKey: 'b', args: { key: 'b', n: 1 } },
  ]);
  await fleet.startWorker();
  await untilCount(fleet, 'discarded', 1);
  await untilCount(fleet, 'completed', 1);
  await untilCount(fleet, 'held', 1);
  expect((await api.post(`/v1/jobs/${stopped}/retry`)).status).toBe(200);
  await untilCount(fleet, 'completed', 3);
  expect(notes.filter((note) => note.endsWith('starts')).slice(-2)).toEqual(['a:1 starts', 'a:2 starts']);
});
