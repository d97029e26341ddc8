import postgres from 'postgres';
import { expect, test } from 'vitest';
import { jobStates } from '../../src/shared/job/transitions.ts';
import type { RunningApi } from '../support/api.ts';
import { startApi } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { createDatabase, createVhost } from '../support/servers.ts';
import { queueNames } from '../support/shop.ts';

async function queue(api: RunningApi, name: string) {
  const { status, body } = await api.get('/v1/queues');
  expect(status).toBe(200);
  expect(body.queues.map((shown: { name: string }) => shown.name)).toEqual(queueNames);
  return body.queues.find((shown: { name: string }) => shown.name === name);
}

const order = { type: 'process-order', args: { orderId: '17' } };

test('every queue is shown with what Postgres and RabbitMQ know of it', async () => {
  await using database = await createDatabase();
  await using vhost = await createVhost();
  await using api = await startApi({ databaseUrl: database.url, amqpUrl: vhost.url });
  await api.post('/v1/jobs/batch', { jobs: [order, order, { ...order, delayMs: 60_000 }] });
  const shown = await eventually(
    () => queue(api, 'default'),
    ({ ready, counts }) => ready === 2 && counts.available === 2,
  );
  const none = Object.fromEntries(jobStates.map((state) => [state, 0]));
  expect(shown).toEqual({
    name: 'default',
    paused: false,
    channels: null,
    prefetch: null,
    maxDepth: null,
    ready: 2,
    unacked: 0,
    consumers: 0,
    counts: { ...none, available: 2, scheduled: 1 },
    oldestAvailableSeconds: expect.any(Number),
    unknownTypes: [],
  });
  expect(await queue(api, 'reports')).toMatchObject({ ready: 0, oldestAvailableSeconds: null, counts: none });
});

test("a queue of another application is shown after the application's, with the types that nobody alive knows", async () => {
  await using database = await createDatabase();
  await using vhost = await createVhost();
  await using api = await startApi({ databaseUrl: database.url, amqpUrl: vhost.url });
  const sql = postgres(database.url, { max: 1 });
  try {
    await sql`insert into warren.queues (name, paused) values ('mail', true)`;
    await sql`insert into warren.unserved_types values
      ('mail', 'greet', now() - interval '11 minutes', 7), ('mail', 'fresh', now() - interval '9 minutes', 1)`;
  } finally {
    await sql.end();
  }
  const { body } = await api.get('/v1/queues');
  expect(body.queues.map(({ name }: { name: string }) => name)).toEqual([...queueNames, 'mail']);
  expect(body.queues.at(-1)).toMatchObject({
    paused: true,
    unknownTypes: [{ type: 'greet', jobs: 7, since: expect.stringMatching(/^\d{4}-.*Z$/) }],
  });
  expect(String((await api.get('/metrics')).body)).toContain(
    'warren_jobs_unknown_type{queue="mail",type="greet"} 7',
  );
});

test('looking at queues leaves the four channels of the publisher, and survives a queue that is gone', async () => {
  await using database = await createDatabase();
  await using vhost = await createVhost();
  await using api = await startApi({ databaseUrl: database.url, amqpUrl: vhost.url });
  await eventually(
    () => queue(api, 'default'),
    ({ ready }) => ready === 0,
  );
  await vhost.management.deleteQueue('warren.critical');
  await eventually(
    () => queue(api, 'critical'),
    ({ ready }) => ready === null,
  );
  expect(await queue(api, 'reports')).toMatchObject({ ready: 0, consumers: 0 });
  await eventually(
    () => vhost.management.channels(),
    (channels) => channels.length === 4 && channels.every(({ confirm }) => confirm),
  );
  await eventually(
    () => vhost.management.connections(),
    ({ length }) => length === 1,
  );
});

test('without RabbitMQ its numbers are null', async () => {
  await using database = await createDatabase();
  await using api = await startApi({ databaseUrl: database.url });
  expect(await queue(api, 'default')).toMatchObject({ ready: null, unacked: null, consumers: null });
});

test('a queue is paused and resumed, twice as well as once', async () => {
  await using database = await createDatabase();
  await using api = await startApi({ databaseUrl: database.url });
  for (const [action, paused] of [
    ['pause', true],
    ['pause', true],
    ['resume', false],
    ['resume', false],
  ] as const) {
    const answer = await api.post(`/v1/queues/webhooks/${action}`);
    expect(answer).toMatchObject({ status: 200, body: { name: 'webhooks', paused } });
    expect(await queue(api, 'webhooks')).toMatchObject({ paused });
    expect(await queue(api, 'default')).toMatchObject({ paused: false });
  }
  expect((await api.post('/v1/queues/nope/pause')).status).toBe(404);
});

test('channels, prefetch and depth of a queue are set; null takes one back, what is absent stays', async () => {
  await using database = await createDatabase();
  await using api = await startApi({ databaseUrl: database.url });
  const put = (name: string, body: unknown) => api.put(`/v1/queues/${name}`, body);
  const first = { channels: 3, prefetch: 40, maxDepth: 500 };
  expect(await put('webhooks', first)).toMatchObject({
    status: 200,
    body: { name: 'webhooks', paused: false, ...first },
  });
  expect(await put('webhooks', { prefetch: null, maxDepth: 7 })).toMatchObject({
    status: 200,
    body: { channels: 3, prefetch: null, maxDepth: 7 },
  });
  expect(await queue(api, 'webhooks')).toMatchObject({ channels: 3, prefetch: null, maxDepth: 7 });
  expect(await queue(api, 'default')).toMatchObject({ channels: null, prefetch: null, maxDepth: null });
  expect((await put('nope', first)).status).toBe(404);
  for (const refused of [
    { channels: 0 },
    { channels: 101 },
    { prefetch: 2_001 },
    { maxDepth: 0.5 },
    { depth: 1 },
  ])
    expect(await put('webhooks', refused)).toMatchObject({ status: 422, body: { code: 'invalid_body' } });
});
