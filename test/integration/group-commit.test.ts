import { expect, test } from 'vitest';
import { startFleet, testJob } from '../support/fleet.ts';

test('one row that Postgres refuses does not fail the others of its statement', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const texts = Array.from({ length: 30 }, (_, index) => (index === 7 || index === 20 ? 'a\u0000b' : 'fine'));
  const settled = await Promise.allSettled(texts.map((text) => fleet.enqueue({ text })));
  expect(settled.map(({ status }) => status === 'fulfilled')).toEqual(texts.map((text) => text === 'fine'));
  const rows = await fleet.sql((sql) => sql`select id from warren.jobs`);
  expect(rows).toHaveLength(28);
});

test('a batch with a row that Postgres refuses makes no job at all', async () => {
  const definition = testJob(async () => {});
  await using fleet = await startFleet(definition);
  const requests = ['fine', '\ud800'].map((text) => ({ definition, args: { text } }));
  await expect(fleet.enqueuer.enqueueBatch(requests)).rejects.toThrow();
  expect(await fleet.sql((sql) => sql`select id from warren.jobs`)).toHaveLength(0);
});
