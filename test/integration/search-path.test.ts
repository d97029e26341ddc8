// A role that may create in `public` plants an operator and a function that fit our statements better than the server's own.
import postgres from 'postgres';
import { expect, test } from 'vitest';
import { Misconfigured } from '../../src/shared/base/errors.ts';
import { Events } from '../../src/shared/observe/events.ts';
import { Database } from '../../src/shared/postgres/database.ts';
import { enterDatabase } from '../../src/shared/postgres/enter-database.ts';
import { migrate } from '../../src/shared/postgres/migrate/migrate.ts';
import { asAdministrator } from '../support/administrator.ts';
import { startFleet, testJob } from '../support/fleet.ts';
import type { TestRole } from '../support/roles.ts';
import { createRole } from '../support/roles.ts';
import { createDatabase } from '../support/servers.ts';
import { testApp } from '../support/test-app.ts';

const PLANT = `
  create table public.caught (what text, victim text);
  grant insert on public.caught to public;
  create function public.spy_on_product(float8, int) returns float8 language plpgsql as $$
    begin
      insert into public.caught values ('operator', current_user);
      return $1 operator(pg_catalog.*) $2::float8;
    end $$;
  create operator public.* (leftarg = float8, rightarg = int, function = public.spy_on_product);
  create function public.jsonb_build_object(text, int, text, timestamptz, text, text) returns jsonb language plpgsql as $$
    begin
      insert into public.caught values ('function', current_user);
      return pg_catalog.jsonb_build_object($1, $2, $3, $4, $5, $6);
    end $$;
  create function public.now() returns timestamptz language plpgsql as $$
    begin
      insert into public.caught values ('now', current_user);
      return pg_catalog.now();
    end $$;`;

/** Plants them as `role`, and shows that they catch a client who has left the search path as it is. */
async function plant(role: TestRole, databaseUrl: string) {
  await asAdministrator(databaseUrl, async (sql) => {
    await sql.unsafe(`grant create, usage on schema public to ${role.name}`);
  });
  const planter = postgres(await role.connectTo(databaseUrl), { max: 1, onnotice: () => {} });
  await planter.unsafe(PLANT);
  await planter.end();
  await asAdministrator(databaseUrl, async (sql) => {
    await sql`select extract(epoch from now())::float8 * 1000,
      jsonb_build_object('attempt', 1, 'at', now(), 'message', 'x'::text)`;
    const caught = await sql<{ what: string }[]>`select what from public.caught order by what`;
    expect(caught.map(({ what }) => what)).toEqual(expect.arrayContaining(['function', 'operator']));
    await sql`truncate public.caught`;
  });
}

test('what others have planted in public never runs as the role of the API or a worker', async () => {
  await using stranger = await createRole();
  await using fleet = await startFleet(
    testJob(async (_args, { attempt }) => {
      if (attempt === 1) throw new Error('the first time');
    }),
  );
  await plant(stranger, fleet.testDatabase.url);
  await fleet.startWorker();
  const id = await fleet.enqueue({}, { delayMs: 1 });
  expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 2 });
  expect(await fleet.sql((sql) => sql`select * from public.caught`)).toEqual([]);
});

test('nor as the role that migrates, whatever the search path of the database is', async () => {
  await using stranger = await createRole();
  await using database = await createDatabase({ migrated: false });
  await asAdministrator(database.url, async (sql) => {
    await sql.unsafe(`alter database ${database.name} set search_path = public, pg_catalog`);
  });
  await plant(stranger, database.url);
  await migrate({ databaseUrl: database.url });
  await asAdministrator(database.url, async (sql) => {
    expect(await sql`select * from public.caught`).toEqual([]);
  });
});

test('a program does not start where the server looks for functions in more schemas than its own', async () => {
  await using testDatabase = await createDatabase();
  const url = `${testDatabase.url}?search_path=public`;
  const events = new Events();
  const database = new Database({ url, name: 'test', min: 0, max: 1, events });
  try {
    const waiting = enterDatabase({
      database,
      app: testApp(),
      events,
      stopping: new AbortController().signal,
    });
    await expect(waiting).rejects.toThrow(Misconfigured);
    await expect(waiting).rejects.toThrow('set search_path = pg_catalog');
  } finally {
    await database.stop();
  }
});
