import type { GetMessage } from 'amqplib';
import { expect, test } from 'vitest';
import { seedOrders } from '../../examples/shop/orders.ts';
import { startApi } from '../support/api.ts';
import { takeMessages } from '../support/broker.ts';
import { eventually } from '../support/eventually.ts';
import { createDatabase, createVhost } from '../support/servers.ts';

test('GET and POST answer with the order and a committed job; only its id travels', async () => {
  await using database = await createDatabase();
  await using vhost = await createVhost();
  await seedOrders({ databaseUrl: database.url });
  await using api = await startApi({ databaseUrl: database.url, amqpUrl: vhost.url });
  const get = await api.get('/api/test/4711');
  expect(get.status).toBe(200);
  expect(get.body.order).toMatchObject({ id: '4711', currency: 'EUR' });
  expect(JSON.stringify(get.body).length).toBeGreaterThan(600);
  const post = await api.post('/api/test/4711');
  expect(post.body.order).toEqual(get.body.order);
  expect(post.body.jobId).not.toBe(get.body.jobId);
  const { job } = (await api.get(`/v1/jobs/${post.body.jobId}`)).body;
  expect(job).toMatchObject({ type: 'process-order', args: { orderId: '4711' }, state: 'available' });
  const messages: GetMessage[] = [];
  await eventually(
    async () => messages.push(...(await takeMessages(vhost, 'warren.default'))),
    (count) => count === 2,
  );
  const message = messages.find(({ content }) => content.toString() === get.body.jobId);
  expect(message?.properties).toMatchObject({
    messageId: get.body.jobId,
    type: 'process-order',
    deliveryMode: 2,
  });
  expect((await api.get('/api/test/10001')).status).toBe(404);
});

test('requests of the same moment get each their own order', async () => {
  await using database = await createDatabase();
  await seedOrders({ databaseUrl: database.url });
  await using api = await startApi({ databaseUrl: database.url });
  const ids = Array.from({ length: 200 }, (_, n) => String((n * 37) % 150));
  const answers = await Promise.all(ids.map((id) => api.get(`/api/test/${id}`)));
  for (const [index, { status, body }] of answers.entries()) {
    if (ids[index] === '0') expect(status).toBe(404);
    else expect(body.order.id).toBe(ids[index]);
  }
  expect(new Set(answers.map(({ body }) => body.jobId).filter(Boolean)).size).toBe(198);
});

test('every answer for one order has the same length, whatever its job does: ab counts another length as failed', async () => {
  await using database = await createDatabase();
  await seedOrders({ databaseUrl: database.url });
  await using api = await startApi({ databaseUrl: database.url });
  const lengths = new Set<number>();
  for (let request = 0; request < 12; request += 1) {
    const answer = await fetch(`${api.url}/api/test/1`);
    lengths.add((await answer.text()).length);
  }
  expect(lengths.size).toBe(1);
});
