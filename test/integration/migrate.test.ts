import { readdirSync } from 'node:fs';
import postgres from 'postgres';
import { expect, test } from 'vitest';
import { seedOrders } from '../../examples/shop/orders.ts';
import { Misconfigured } from '../../src/shared/base/errors.ts';
import type { App } from '../../src/shared/job/app.ts';
import { Events } from '../../src/shared/observe/events.ts';
import { Database } from '../../src/shared/postgres/database.ts';
import { enterDatabase } from '../../src/shared/postgres/enter-database.ts';
import { migrate } from '../../src/shared/postgres/migrate/migrate.ts';
import { listen } from '../support/events.ts';
import { createDatabase } from '../support/servers.ts';
import { app as shop } from '../support/shop.ts';
import { testApp } from '../support/test-app.ts';

const files = readdirSync(new URL('../../src/shared/postgres/migrate/migrations/', import.meta.url)).sort();
const versions = files.map((name) => Number.parseInt(name, 10));
const current = versions.at(-1) ?? 0;
const events = new Events();
const forever = new AbortController().signal;

test('of five that migrate at once one applies each file, and the next finds nothing to do', async () => {
  await using empty = await createDatabase({ migrated: false });
  const results = await Promise.all(Array.from({ length: 5 }, () => migrate({ databaseUrl: empty.url })));
  expect(results.flatMap(({ applied }) => applied).sort()).toEqual(files);
  expect(await migrate({ databaseUrl: empty.url })).toEqual({ applied: [] });
});

test('a database without a schema, or with an older one, is refused; a newer one is not', async () => {
  await using empty = await createDatabase({ migrated: false });
  const database = new Database({ url: empty.url, name: 'test', min: 1, max: 2, events });
  await expect(enterDatabase({ database, app: testApp(), events, stopping: forever })).rejects.toThrow(
    Misconfigured,
  );
  await expect(enterDatabase({ database, app: testApp(), events, stopping: forever })).rejects.toThrow(
    `the database's schema has version 0, this program needs ${current}: run "npm run migrate" first`,
  );
  await migrate({ databaseUrl: empty.url });
  await enterDatabase({ database, app: testApp(), events, stopping: forever });
  await database.query(async (sql) => await sql`insert into warren.migrations values (9999, 'of tomorrow')`);
  await enterDatabase({ database, app: testApp(), events, stopping: forever });
  await database.query(async (sql) => await sql`delete from warren.migrations where version >= ${current}`);
  await expect(enterDatabase({ database, app: testApp(), events, stopping: forever })).rejects.toThrow(
    `has version ${versions.at(-2)}, this program needs ${current}`,
  );
  await database.stop();
});

test('a migration that fails leaves the schema as it was, and nobody locked out', async () => {
  await using empty = await createDatabase({ migrated: false });
  const sql = postgres(empty.url, { max: 1, onnotice: () => {} });
  await sql.unsafe('create schema warren; create table warren.workers (id int)'); // in the way of the fourth file
  await expect(migrate({ databaseUrl: empty.url })).rejects.toThrow('already exists');
  const versions = await sql`select version from warren.migrations`;
  expect(versions.map(({ version }) => version)).toEqual([1, 2, 3]);
  await sql`drop table warren.workers`;
  expect(await migrate({ databaseUrl: empty.url })).toEqual({ applied: files.slice(3) });
  await sql.end();
});

test("the application's own schema comes after Warren's, in one process at a time, at every run", async () => {
  await using empty = await createDatabase({ migrated: false });
  let running = 0;
  const found: unknown[] = [];
  const app: App = {
    ...testApp(),
    migrate: async ({ sql, databaseUrl }) => {
      running += 1;
      const [row] = await sql`
        select count(*)::int as migrations, current_setting('search_path') <> 'pg_catalog' as plain from warren.migrations`;
      found.push({ running, ...row, databaseUrl });
      running -= 1;
    },
  };
  await Promise.all(Array.from({ length: 3 }, () => migrate({ databaseUrl: empty.url, app })));
  const each = { running: 1, migrations: files.length, plain: true, databaseUrl: empty.url };
  expect(found).toEqual([each, each, each]);
});

test('an upgrade from the versions that made the table of the shop themselves changes nothing of it', async () => {
  await using empty = await createDatabase({ migrated: false });
  await migrate({ databaseUrl: empty.url });
  const sql = postgres(empty.url, { max: 1, onnotice: () => {} });
  const tables = async () =>
    await sql`select from pg_tables where schemaname = 'warren' and tablename = 'orders'`;
  expect(await tables()).toHaveLength(0);
  await migrate({ databaseUrl: empty.url, app: shop });
  await seedOrders({ databaseUrl: empty.url });
  await migrate({ databaseUrl: empty.url, app: shop });
  expect(await tables()).toHaveLength(1);
  expect(await seedOrders({ databaseUrl: empty.url })).toEqual({ inserted: 0 });
  await sql.end();
});

test('a program waits for a Postgres that is away, until it is told to stop', async () => {
  const database = new Database({ url: 'postgres://127.0.0.1:1/none', name: 'test', min: 1, max: 1, events });
  const stopping = new AbortController();
  using retried = listen(events, 'write.retried');
  const waiting = enterDatabase({ database, app: testApp(), events, stopping: stopping.signal });
  await retried.first(({ what, retry }) => what === 'start' && retry === 2);
  stopping.abort();
  await waiting;
  await database.stop();
});
