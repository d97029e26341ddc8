// Starting and stopping an instance of Warren and its workers: twice, at the same moment, and after a failure.
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { defineApp, defineJob, Warren } from '../../src/index.ts';
import { listen } from '../support/events.ts';
import type { TestDatabase } from '../support/servers.ts';
import { createDatabase, createVhost } from '../support/servers.ts';

const greet = defineJob({ type: 'greet', args: z.object({}), perform: async () => {} });

async function createTestDatabase(options: { migrated?: boolean } = {}): Promise<TestDatabase> {
  const database = await createDatabase(options);
  onTestFinished(() => database[Symbol.asyncDispose]());
  return database;
}

/** An instance whose services say when they are made and disposed of. */
function createWarren(
  { url }: TestDatabase,
  { whileMaking = () => {}, amqpUrl = 'none' }: { whileMaking?: () => void; amqpUrl?: string } = {},
) {
  const seen: string[] = [];
  const services = async () => {
    whileMaking();
    seen.push('made');
    return { [Symbol.asyncDispose]: async () => void seen.push('disposed') };
  };
  const app = defineApp({ name: 'crm', queues: { default: {} }, jobs: [greet], services });
  const warren = new Warren({ app, databaseUrl: url, amqpUrl });
  onTestFinished(() => warren.stop());
  return { warren, seen };
}

test('a worker that is stopped twice disposes of the services once', async () => {
  const { warren, seen } = createWarren(await createTestDatabase());
  {
    await using worker = await warren.startWorker();
    await worker.stop();
  }
  expect(seen).toEqual(['made', 'disposed']);
});

test('an instance that is stopped waits for a worker that is stopping already', async () => {
  const { warren, seen } = createWarren(await createTestDatabase());
  const worker = await warren.startWorker();
  const stopped = worker.stop();
  await warren.stop();
  expect(seen).toEqual(['made', 'disposed']);
  await stopped;
});

test('no worker is started after the instance was stopped', async () => {
  const { warren, seen } = createWarren(await createTestDatabase());
  await warren.stop();
  await expect(warren.startWorker()).rejects.toMatchObject({ name: 'Unavailable', code: 'stopping' });
  expect(seen).toEqual([]);
});

test('a worker that is being started when the instance is stopped is stopped with it', async () => {
  const making = Promise.withResolvers<void>();
  const { warren, seen } = createWarren(await createTestDatabase(), { whileMaking: making.resolve });
  const refused = expect(warren.startWorker()).rejects.toMatchObject({
    name: 'Unavailable',
    code: 'stopping',
  });
  await making.promise;
  await warren.stop();
  await refused;
  expect(seen).toEqual(['made', 'disposed']);
});

test('an instance that is stopped cannot be started', async () => {
  const { warren } = createWarren(await createTestDatabase());
  await warren.start();
  await warren.stop();
  await expect(warren.start()).rejects.toMatchObject({ name: 'Unavailable', code: 'stopping' });
});

test('a start that is overtaken by the stop rejects, whether Postgres is there or away', async () => {
  const there = createWarren(await createTestDatabase());
  const away = createWarren({ url: 'postgres://127.0.0.1:1/none' } as TestDatabase);
  for (const { warren } of [there, away]) {
    const refused = expect(warren.start()).rejects.toMatchObject({ name: 'Unavailable', code: 'stopping' });
    await warren.stop();
    await refused;
  }
});

test('a start that failed is tried again by the next one, on the connections that there are', async () => {
  const vhost = await createVhost();
  onTestFinished(() => vhost[Symbol.asyncDispose]());
  const { warren } = createWarren(await createTestDatabase({ migrated: false }), { amqpUrl: vhost.url });
  using connected = listen(warren.events, 'broker.connected');
  await expect(warren.start()).rejects.toMatchObject({ name: 'Misconfigured' });
  await connected.first();
  await warren.migrate();
  await warren.start();
  await warren.enqueue(greet, {});
  await warren.stop();
  expect(connected.all.filter(({ reconnect }) => !reconnect)).toHaveLength(1);
});
