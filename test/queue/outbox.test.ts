import { expect, test } from 'vitest';
import { Outbox, publishAndMark } from '../../src/queue/outbox.ts';
import type { Publishable } from '../../src/shared/job/publishable.ts';
import { Events } from '../../src/shared/observe/events.ts';
import type { Sql } from '../../src/shared/postgres/database.ts';
import { listen } from '../support/events.ts';

/** A broker that confirms all, and a database that keeps which ids each statement has marked, and how many statements it had at once. */
function servers({ failing = 0 } = {}) {
  const marked: string[][] = [];
  let underWay = 0;
  let mostAtOnce = 0;
  const runStatement = (strings: TemplateStringsArray, rows: unknown) => {
    if (strings.join('').includes('set published_at = now()'))
      marked.push((JSON.parse(String(rows)) as { id: string }[]).map(({ id }) => id));
    return {};
  };
  const sql = Object.assign(runStatement, { unsafe: (text: string) => text }) as unknown as Sql;
  const database = {
    query: async <T>(statement: (sql: Sql) => Promise<T>): Promise<T> => {
      underWay += 1;
      mostAtOnce = Math.max(mostAtOnce, underWay);
      await new Promise(setImmediate);
      underWay -= 1;
      if (marked.length < failing) {
        await statement(sql);
        throw new Error('Postgres is away');
      }
      return await statement(sql);
    },
  };
  const publisher = { ready: true, publishAll: async <Job>(jobs: readonly Job[]) => [...jobs] };
  return { marked, database, publisher, mostTogether: () => 1, mostAtOnce: () => mostAtOnce };
}

const jobs = (count: number, from = 1): Publishable[] =>
  Array.from({ length: count }, (_, index) => ({
    id: String(from + index),
    type: 'greet',
    queue: 'default',
    fence: 0,
  }));

test('however many jobs are confirmed at once, they are marked by statements of at most a thousand, one after the other', async () => {
  const { marked, mostAtOnce, ...options } = servers();
  const outbox = new Outbox({ ...options, events: new Events() });
  await Promise.all([outbox.publish(jobs(150_000)), outbox.publish(jobs(2_500, 150_001))]);
  await outbox.stop();
  expect(marked.flat()).toEqual(jobs(152_500).map(({ id }) => id));
  expect(Math.max(...marked.map(({ length }) => length))).toBe(1_000);
  expect(mostAtOnce()).toBe(1);
});

test('so does the relay mark them', async () => {
  const { marked, mostAtOnce, ...options } = servers();
  expect(await publishAndMark(options, jobs(2_001))).toBe(2_001);
  expect(marked.map(({ length }) => length)).toEqual([1_000, 1_000, 1]);
  expect(mostAtOnce()).toBe(1);
});

test('marks that fail are told of and left to the relay, and later ones are made', async () => {
  const { marked, mostAtOnce, ...options } = servers({ failing: 1 });
  const events = new Events();
  using retried = listen(events, 'write.retried');
  const outbox = new Outbox({ ...options, events });
  await outbox.publish(jobs(1));
  await retried.first();
  await outbox.publish(jobs(1, 2));
  await outbox.stop();
  expect(marked).toEqual([['1'], ['2']]);
});

test('jobs that wait for their marks are bounded: what comes beyond is left to the relay', async () => {
  const { marked, mostAtOnce, ...options } = servers();
  const outbox = new Outbox({ ...options, events: new Events() });
  await Promise.all([1, 2, 3, 4, 5].map((part) => outbox.publish(jobs(50_000, part * 50_000))));
  await outbox.stop();
  expect(marked.flat()).toHaveLength(200_000);
});

test('the mark of an urgent job does not wait for others to be marked with it', async () => {
  const { marked, mostAtOnce, ...options } = servers();
  const outbox = new Outbox({ ...options, events: new Events() });
  await outbox.publish(jobs(1));
  expect(marked).toEqual([]);
  await outbox.publish(jobs(1, 2).map((job) => ({ ...job, isUrgent: true })));
  for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate); // far from the wait for others
  expect(marked).toEqual([['1', '2']]);
  await outbox.stop();
});
