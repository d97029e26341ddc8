// Pages of the jobs that match: together they have every job that matches, whatever the filter and wherever a page has to end.
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { searchJobs } from '../../src/queue/search.ts';
import type { JobDefinition } from '../../src/shared/job/job.ts';
import type { JobFilter } from '../../src/shared/job/job-filter.ts';
import { toSearched } from '../../src/shared/job/redaction.ts';
import type { Database } from '../../src/shared/postgres/database.ts';
import type { TestDatabase } from '../support/servers.ts';
import { createDatabase, openAs } from '../support/servers.ts';

const JOBS = 30_000;

let testDatabase: TestDatabase;
let sql: postgres.Sql;
/** With the API's grants, no more. */
let database: Database;

beforeAll(async () => {
  testDatabase = await createDatabase();
  sql = postgres(testDatabase.url, { max: 2, onnotice: () => {} });
  await sql`
    insert into warren.jobs (type, queue, state, max_attempts, args, group_key, tags, priority, created_at, finished_at, errors)
    select case n % 10000 when 7 then 'rare' else 'test-' || n % 3 end, case n % 2 when 0 then 'default' else 'reports' end,
      case when n % 500 = 0 then 'discarded' when n % 7000 = 0 then 'scheduled' else 'completed' end, 1,
      jsonb_build_object('customer', 'Nr. ' || n), case when n % 9000 = 1 then 'acme' end,
      case when n % 8000 = 3 then array['urgent', 'mail'] end, case when n % 6000 = 5 then 9 else 0 end,
      now() - (${JOBS} - n) * interval '1 s', case when n % 7000 <> 0 or n % 500 = 0 then now() - (${JOBS} - n) * interval '1 s' end,
      case when n % 500 = 0 then jsonb_build_array(jsonb_build_object('attempt', 1, 'at', now(), 'message', 'Refused by host ' || n)) else '[]' end
    from generate_series(1, ${JOBS}) as n`;
  await sql`delete from warren.jobs where id between 9000 and 17000 and id % 500 <> 0`; // a gap, as retention leaves it
  await sql`analyze warren.jobs`;
  database = openAs(testDatabase.url, 'api');
});

afterAll(async () => {
  await database.stop();
  await sql.end();
  await testDatabase[Symbol.asyncDispose]();
});

/** The ids of all pages. A `walkMs` of 0 ends each page after the first part of its walk. */
async function pagesOf(filter: JobFilter, { limit = 50, walkMs = 0 } = {}): Promise<string[][]> {
  const pages: string[][] = [];
  let before: string | undefined;
  do {
    const page = await searchJobs(database, filter, { before, limit, walkMs });
    pages.push(page.jobs.map(({ id }) => id));
    before = page.next ?? undefined;
  } while (before !== undefined);
  return pages;
}

const idsWhere = async (condition: string) =>
  (await sql.unsafe<{ id: string }[]>(`select id from warren.jobs where ${condition} order by id desc`)).map(
    ({ id }) => id,
  );

test.each<[JobFilter, string]>([
  [{ type: 'rare' }, `type = 'rare'`],
  [{ type: ['rare', 'test-1'], priority: 9 }, `type in ('rare', 'test-1') and priority = 9`],
  [{ state: 'discarded' }, `state = 'discarded'`],
  [
    { state: ['scheduled', 'discarded'], queue: 'default' },
    `state in ('scheduled', 'discarded') and queue = 'default'`,
  ],
  [
    { state: ['completed', 'scheduled'], group: 'acme' },
    `group_key = 'acme' and state in ('completed', 'scheduled')`,
  ],
  [{ tag: ['mail', 'urgent'] }, `tags @> array['mail', 'urgent']`],
  [{ q: 'nr. 2777' }, `args ->> 'customer' ilike 'nr. 2777%'`],
  [{ q: 'by host 15', state: 'discarded' }, `errors -> 0 ->> 'message' ilike '%by host 15%'`],
  [{ q: 'nowhere' }, 'false'],
  [{ type: 'test-2', q: 'NR. 1' }, `type = 'test-2' and args ->> 'customer' ilike '%nr. 1%'`],
])('the pages of %j have every job that matches, the newest first', async (filter, condition) => {
  const expected = await idsWhere(condition);
  expect((await pagesOf(filter)).flat()).toEqual(expected);
  expect((await pagesOf(filter, { limit: 3, walkMs: 50 })).flat()).toEqual(expected);
});

test('times bound it', async () => {
  const [{ at } = { at: '' }] = await sql<{ at: string }[]>`
    select finished_at::text as at from warren.jobs where id = 1501`;
  const expected = await idsWhere(`finished_at < '${at}'`);
  expect(expected.length).toBeGreaterThan(1_000);
  expect((await pagesOf({ finishedBefore: at }, { limit: 200 })).flat()).toEqual(expected);
});

test('a page ends where its time is over, and the next goes on there', async () => {
  const pages = await pagesOf({ type: 'rare' });
  expect(pages.length).toBeGreaterThan(3);
  expect(pages.some((page) => page.length === 0)).toBe(true);
});

test('what no job can be is not looked for', async () => {
  await sql.begin(async (locked) => {
    await locked`lock table warren.jobs in access exclusive mode`; // who reads it would wait
    expect(await pagesOf({ type: 'test-1', state: 'running' })).toEqual([[]]);
    expect(await pagesOf({ queue: 'none' })).toEqual([[]]);
  });
});

test('a text is found in what is shown of the arguments alone: not in hidden members, nor in types that are not known', async () => {
  const args = {
    name: 'Zoe "Zed"',
    Token: 'zulu-1',
    accounts: [{ password: 'zulu-2', city: 'Zürich' }],
    headers: { zone: 'zulu-3', zeal: ['zulu-4'] },
    list: ['zulu-5', 'zebra'],
    zulu: { deep: null },
    empty: { zulu: {} },
  };
  const insert = async (type: string) =>
    (
      await sql<{ id: string }[]>`
      insert into warren.jobs (type, queue, state, max_attempts, args) values (${type}, 'default', 'available', 1, ${sql.json(args)}) returning id`
    )[0]?.id;
  const [hides, open] = [await insert('hides'), await insert('open')];
  await insert('unknown');
  await insert('sealed');
  const searched = toSearched(
    new Map(
      [
        { type: 'hides', redact: ['token', 'Accounts.*.password', 'headers.*', 'list.0', 'zulu.deep'] },
        { type: 'open' },
        { type: 'sealed', encrypted: true },
      ].map((definition) => [definition.type, definition as unknown as JobDefinition]),
    ),
  );
  const found = async (q: string) => (await pagesOf({ q, searched } as JobFilter)).flat();
  for (const hidden of ['zulu-1', 'zulu-2', 'zulu-3', 'zulu-4', 'zulu-5', 'ZULU-'])
    expect([hidden, await found(hidden)]).toEqual([hidden, [open]]);
  for (const shown of ['zoe "zed"', 'zürich', 'ZEBRA', 'deep', 'zone', 'password'])
    expect([shown, await found(shown)]).toEqual([shown, [open, hides]]);
});
