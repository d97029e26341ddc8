// What a list shows of jobs that carry much.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { asAdministrator } from '../support/administrator.ts';
import type { RunningApi } from '../support/api.ts';
import { startApi } from '../support/api.ts';
import type { TestDatabase } from '../support/servers.ts';
import { createDatabase } from '../support/servers.ts';

const stack = new AsyncDisposableStack();
let database: TestDatabase;
let api: RunningApi;

beforeAll(async () => {
  database = stack.use(await createDatabase());
  api = stack.use(await startApi({ databaseUrl: database.url }));
});
afterAll(() => stack.disposeAsync());

interface Carried {
  args?: unknown;
  output?: unknown;
  errors?: unknown;
}

/** The row in the list, and the job by its id. */
async function listed({ args = {}, output = null, errors = [] }: Carried) {
  await asAdministrator(database.url, async (sql) => {
    await sql`
      insert into warren.jobs (type, queue, args, state, max_attempts, run_at, output, errors)
      values ('process-order', 'default', ${JSON.stringify(args)}::text::jsonb, 'completed', 3, now(),
        ${JSON.stringify(output)}::text::jsonb, ${JSON.stringify(errors)}::text::jsonb)`;
  });
  const { body } = await api.get('/v1/jobs?limit=1');
  const [job] = body.jobs;
  return { job, whole: (await api.get(`/v1/jobs/${job.id}`)).body.job };
}

const error = (attempt: number, message: string) => ({ attempt, at: '2026-01-01T00:00:00Z', message });

test('a job that carries little is listed as it is', async () => {
  const { job, whole } = await listed({
    args: { text: 'a'.repeat(4_000) },
    output: [1, 2],
    errors: [error(1, 'no')],
  });
  expect(job).toEqual(whole);
});

test('large members are left out and named, and the job itself has them', async () => {
  const text = 'a'.repeat(5_000); // compressed it is small
  const { job, whole } = await listed({ args: { text }, output: text, errors: [error(1, 'no')] });
  expect(job).toEqual({ ...whole, args: null, output: null, truncated: ['args', 'output'] });
  expect(whole).toMatchObject({ args: { text }, output: text });
  expect(whole.truncated).toBeUndefined();
});

test('of many errors the last is left, its message cut', async () => {
  const errors = [error(1, 'first'), error(2, 'x'.repeat(4_000))];
  const { job, whole } = await listed({ errors });
  expect(job).toEqual({ ...whole, errors: [error(2, 'x'.repeat(1_000))], truncated: ['errors'] });
  expect(whole.errors).toEqual(errors);
});

test('a list is narrowed by times and by text in arguments or errors, whatever characters the text has', async () => {
  const found = await listed({ args: { text: 'say "50%_off"' } });
  const failed = await listed({ errors: [error(1, 'connection refused')] });
  await asAdministrator(database.url, async (sql) => {
    await sql`update warren.jobs set finished_at = '2026-02-02' where id = ${failed.job.id}`;
  });
  const ids = async (query: string) =>
    (await api.get(`/v1/jobs?${query}`)).body.jobs.map(({ id }: { id: string }) => id);
  expect(await ids(`q=${encodeURIComponent('"50%_OFF"')}`)).toEqual([found.job.id]);
  expect(await ids('q=Connection%20refused')).toEqual([failed.job.id]);
  expect(await ids('q=attempt')).toEqual([]); // a name within the errors
  expect(await ids('finishedAfter=2026-02-01T00:00:00Z&finishedBefore=2026-02-03T00:00:00Z')).toEqual([
    failed.job.id,
  ]);
  expect(await ids('createdAfter=2400-01-01T00:00:00Z')).toEqual([]);
  expect((await api.get('/v1/jobs?createdAfter=yesterday')).status).toBe(422);
});
