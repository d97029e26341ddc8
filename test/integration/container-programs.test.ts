// What the containers of a cluster run beside the API and the workers: the migration, and the wait for it.
import postgres from 'postgres';
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import type { Program } from '../support/program.ts';
import { startFile } from '../support/program.ts';
import { createDatabase } from '../support/servers.ts';

const migrate = 'dev/container/migrate.ts';
const awaitSchema = 'dev/container/await-schema.ts';

async function says(program: Program, words: string): Promise<void> {
  await eventually(
    () => program.text.join('\n'),
    (text) => text.includes(words),
  );
}

test('a pod waits for the schema, the migration brings it, and another finds nothing to do', async () => {
  await using database = await createDatabase({ migrated: false });
  const env = { DATABASE_URL: database.url };
  await using waiting = await startFile(awaitSchema, env);
  await says(waiting, 'waiting for the schema');
  await using first = await startFile(migrate, env);
  expect(await first.exited).toEqual({ code: 0, signal: null });
  expect(first.text.join()).toMatch(/^applied 0001-/);
  expect(await waiting.exited).toEqual({ code: 0, signal: null });
  expect(waiting.text.at(-1)).toBe('the schema is current');
  await using second = await startFile(migrate, env);
  expect(await second.exited).toEqual({ code: 0, signal: null });
  expect(second.text).toEqual(['the schema is up to date']);
});

test.each([migrate, awaitSchema])('%s waits for Postgres, and ends at SIGTERM', async (file) => {
  await using program = await startFile(file, { DATABASE_URL: 'postgres://127.0.0.1:1/nobody' });
  await says(program, 'waiting for');
  program.signal('SIGTERM');
  expect(await program.exited).toEqual({ code: 143, signal: null });
});

test('a migration that Postgres refuses fails at once', async () => {
  await using database = await createDatabase({ migrated: false });
  const sql = postgres(database.url, { max: 1, onnotice: () => {} });
  await sql.unsafe('create schema warren; create table warren.migrations (of_somebody_else int)');
  await sql.end();
  await using program = await startFile(migrate, { DATABASE_URL: database.url });
  expect((await program.exited).code).toBe(1);
  expect(program.text.at(-1)).toBe('column "version" does not exist');
});
