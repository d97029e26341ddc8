// The fixtures that every other integration test stands on.
import amqplib from 'amqplib';
import postgres from 'postgres';
import { expect, inject, test } from 'vitest';

import { waitUntil } from '../../dev/wait-until.ts';
import { HANG_MS } from '../support/eventually.ts';
import { createDatabase, createVhost } from '../support/servers.ts';

async function query<T extends readonly object[]>(
  url: string,
  work: (sql: postgres.Sql) => Promise<T>,
): Promise<T> {
  const sql = postgres(url, { max: 1 });
  try {
    return await work(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

test('databases that are made at once are migrated and apart from each other', async () => {
  await using stack = new AsyncDisposableStack();
  const databases = await Promise.all(
    Array.from({ length: 4 }, async () => stack.use(await createDatabase())),
  );
  const urls = databases.map(({ url }) => url);
  expect(new Set(urls).size).toBe(4);
  await query(urls[0] ?? '', async (sql) => sql`create table only_here (id int)`);
  for (const url of urls) {
    const tables = await query(
      url,
      async (sql) =>
        sql`select to_regclass('warren.jobs')::oid as jobs, to_regclass('only_here')::text as own`,
    );
    expect(tables[0]?.['jobs']).toEqual(expect.any(Number));
    expect(tables[0]?.['own']).toBe(url === urls[0] ? 'only_here' : null);
  }
});

test('an unmigrated database is empty, and disposing drops it under open connections', async () => {
  const database = await createDatabase({ migrated: false });
  const sql = postgres(database.url, { max: 1, onclose: () => undefined });
  const [row] = await sql`select to_regclass('warren.jobs') as jobs`;
  expect(row?.['jobs']).toBeNull();
  await database[Symbol.asyncDispose]();
  const left = await query(
    inject('databaseUrl'),
    async (admin) => admin`select 1 from pg_database where datname = ${database.name}`,
  );
  expect(left).toHaveLength(0);
  await sql.end({ timeout: 1 });
});

test('a vhost shows its own queues, consumers and connections, and takes them down', async () => {
  await using vhost = await createVhost();
  await using other = await createVhost();
  const connection = await amqplib.connect(vhost.url, { clientProperties: { connection_name: 'fixture' } });
  const closed = new Promise((resolve) => connection.once('close', resolve));
  const channel = await connection.createChannel();
  await channel.assertQueue('q', { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  await channel.consume('q', () => undefined, { consumerTag: 'tag' });

  expect(await vhost.management.queue('q')).toMatchObject({ name: 'q', type: 'quorum', durable: true });
  expect(await vhost.management.queue('absent')).toBeUndefined();
  expect(await other.management.queues()).toEqual([]);
  const consumers = await waitUntil({
    what: 'the consumer',
    check: async () => {
      const found = await vhost.management.consumers();
      return found.length > 0 ? found : undefined;
    },
    timeoutMs: HANG_MS,
  });
  expect(consumers.map((consumer) => consumer.consumer_tag)).toEqual(['tag']);
  const [shown] = await waitUntil({
    what: 'the connection',
    check: async () => {
      const found = await vhost.management.connections();
      return found[0]?.user_provided_name === undefined ? undefined : found;
    },
    timeoutMs: HANG_MS,
  });
  expect(shown?.user_provided_name).toBe('fixture');
  await vhost.management.closeConnection(shown?.name ?? '');
  expect(String(await closed)).toContain('CONNECTION_FORCED');
  await vhost.management.deleteQueue('q');
  expect(await vhost.management.queue('q')).toBeUndefined();
});
