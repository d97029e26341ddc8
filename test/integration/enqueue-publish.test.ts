import { expect, test } from 'vitest';
import { readyCount, takeMessages } from '../support/broker.ts';
import { eventually } from '../support/eventually.ts';
import { startFleet, testJob } from '../support/fleet.ts';

const definition = testJob(async () => {});

test('an enqueued job is published at once, without the help of any worker, and its row is marked', async () => {
  await using fleet = await startFleet(definition);
  const id = await fleet.enqueue();
  const ids = await fleet.enqueuer.enqueueBatch([1, 2, 3].map((n) => ({ definition, args: { n } })));
  await eventually(
    () => readyCount(fleet.vhost, 'warren.default'),
    (ready) => ready === 2,
  );
  const messages = await takeMessages(fleet.vhost, 'warren.default');
  const bodies = messages.map(({ content }) => content.toString('latin1'));
  expect(bodies.sort()).toEqual([id, ids.join(' ')].sort()); // each on a channel of its own
  for (const { content, properties } of messages)
    expect(properties).toMatchObject({
      deliveryMode: 2,
      messageId: content.toString('latin1').split(' ')[0],
      type: 'test-job',
      headers: {},
    });
  await eventually(
    () => fleet.sql((sql) => sql`select id from warren.jobs where published_at is null`),
    (rows) => rows.length === 0,
  );
});

test('a job that is not due is not published', async () => {
  await using fleet = await startFleet(definition);
  await fleet.enqueue({}, { delayMs: 60_000 });
  await fleet.enqueue({}, { queue: 'critical' });
  await eventually(
    () => readyCount(fleet.vhost, 'warren.critical'),
    (ready) => ready === 1,
  );
  expect(await readyCount(fleet.vhost, 'warren.default')).toBe(0);
});
