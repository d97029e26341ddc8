// The indexes of texts: with them, without them and after they were dropped a search finds the same; how they are made, mended and dropped.
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addDoctor } from '../../src/cli/doctor.ts';
import { addSearchIndexCommands } from '../../src/cli/search-index-commands.ts';
import type { Finding } from '../../src/queue/doctor/check.ts';
import { searchJobs } from '../../src/queue/search.ts';
import type { JobDefinition } from '../../src/shared/job/job.ts';
import type { SearchFilter } from '../../src/shared/job/job-filter.ts';
import { toSearched } from '../../src/shared/job/redaction.ts';
import type { Database } from '../../src/shared/postgres/database.ts';
import type { SearchIndex } from '../../src/shared/postgres/search-index.ts';
import { createSearchIndex, dropSearchIndex } from '../../src/shared/postgres/search-index.ts';
import { runWarren } from '../support/command-line.ts';
import { eventually } from '../support/eventually.ts';
import type { TestDatabase } from '../support/servers.ts';
import { asRole, createDatabase, openAs } from '../support/servers.ts';

/** More than the first part of a walk looks at, so that older jobs are found by the indexes alone. */
const NEWER_JOBS = 5_000;
const OFTEN = 1_000;
const NEVER_MS = 60_000;

const searched = toSearched(
  new Map(
    [
      { type: 'hides', redact: ['token', 'accounts.*.password'] },
      { type: 'open' },
      { type: 'sealed', encrypted: true },
    ].map((definition) => [definition.type, definition as unknown as JobDefinition]),
  ),
);

const texts = [
  'needle',
  'NEEDLE',
  'needle in a long text',
  'zulu-secret',
  'zulu',
  '100%',
  '100_',
  '10\\0',
  '%%%',
  '___',
  '\\\\\\',
  'say "hello"',
  'a\nb c',
  '---',
  'Zürich',
  'ZÜRICH',
  'zürich',
  '東京都庁',
  '東京',
  'ne',
  'q',
  'econnrefused 10.0.0.7',
  'refused 50%',
  'often',
  'nowhere to be found',
];

let testDatabase: TestDatabase;
let sql: postgres.Sql;
/** With the API's grants, no more. */
let database: Database;
let ownersUrl: string;

beforeAll(async () => {
  testDatabase = await createDatabase();
  sql = postgres(testDatabase.url, { max: 1, onnotice: () => {} });
  ownersUrl = asRole(testDatabase.url, 'migrate');
  const long = `${'filler '.repeat(500)}Needle in a LONG text`;
  const args = [
    { text: 'Needle' },
    { text: long },
    { text: 'open', token: 'zulu-secret', accounts: [{ password: 'zulu-secret', city: 'Zulu' }] },
    { text: '100% sure' },
    { text: '100_1' },
    { text: '10\\0' },
    { text: '1000' },
    { text: '%%%___\\\\\\---' },
    { text: 'say "hello"' },
    { text: 'a\nb c' },
    { text: 'Zürich, 東京都庁' },
  ];
  for (const type of ['open', 'hides', 'sealed', 'unknown'])
    for (const each of args) await insert(type, each);
  for (const message of ['connect ECONNREFUSED 10.0.0.7', 'refused 50% of them', long])
    await insert('unknown', {}, message);
  await sql`
    insert into warren.jobs (type, queue, state, max_attempts, args, finished_at)
    select 'open', 'default', 'completed', 1, jsonb_build_object('customer', n, 'text', 'often'), now() from generate_series(1, ${OFTEN}) as n`;
  await sql`
    insert into warren.jobs (type, queue, state, max_attempts, args, finished_at)
    select 'open', 'default', 'completed', 1, jsonb_build_object('customer', n), now() from generate_series(1, ${NEWER_JOBS}) as n`;
  await sql`analyze warren.jobs`;
  database = openAs(testDatabase.url, 'api');
});

afterAll(async () => {
  await database.stop();
  await sql.end();
  await testDatabase[Symbol.asyncDispose]();
});

async function insert(type: string, args: postgres.JSONValue, message?: string): Promise<void> {
  const errors = message === undefined ? [] : [{ attempt: 1, at: new Date().toISOString(), message }];
  await sql`
    insert into warren.jobs (type, queue, state, max_attempts, args, errors, finished_at)
    values (${type}, 'default', 'completed', 1, ${sql.json(args)}, ${sql.json(errors)}, now())`;
}

/** The ids of all pages. A `walkMs` of 0 ends each page after the first part of its walk, save where the indexes find the rest. */
async function pagesOf(
  filter: SearchFilter,
  { limit = 2_000, byTextMs = NEVER_MS } = {},
): Promise<string[][]> {
  const pages: string[][] = [];
  let before: string | undefined;
  do {
    const page = await searchJobs(database, filter, { before, limit, walkMs: 0, byTextMs });
    pages.push(page.jobs.map(({ id }) => id));
    before = page.next ?? undefined;
  } while (before !== undefined);
  return pages;
}

const filters: SearchFilter[] = [
  ...texts.flatMap((q) => [{ q }, { q, searched }]),
  { q: 'zulu', searched, type: 'hides' },
];

async function findAll(options?: Parameters<typeof pagesOf>[1]) {
  const found: [string, string[]][] = [];
  for (const filter of filters) {
    const { q, type = 'any', searched: seen } = filter;
    found.push([`${q} of ${type}, ${seen ? 'shown' : 'all'}`, (await pagesOf(filter, options)).flat()]);
  }
  return found;
}

test('with the indexes, page by page, under a time limit and without them again, the same is found', async () => {
  const without = await findAll();
  const counts = new Map(without.map(([title, ids]) => [title, ids.length]));
  expect(counts.get('needle of any, all')).toBe(9); // four types, twice each, and the message
  expect(counts.get('zulu-secret of any, all')).toBe(4);
  expect(counts.get('zulu-secret of any, shown')).toBe(1);
  expect(counts.get('zulu of hides, shown')).toBe(1);
  expect(counts.get('100% of any, all')).toBe(4);
  expect(counts.get('often of any, shown')).toBe(OFTEN);

  expect((await createSearchIndex(ownersUrl)).state).toBe('ready');
  expect(await findAll()).toEqual(without);
  expect(await findAll({ byTextMs: 1 })).toEqual(without); // too little for a text that many have: the walk goes on
  for (const q of ['needle', 'nowhere to be found'])
    expect([q, (await pagesOf({ q })).length]).toEqual([q, 1]);
  expect((await pagesOf({ q: 'ne' })).length).toBeGreaterThan(1); // a walk: the text has no trigram
  const unused = () => sql`
    select indexrelname from pg_stat_user_indexes where indexrelname in ('jobs_text_of_args', 'jobs_long_args', 'jobs_text_of_errors') and idx_scan = 0`;
  await eventually(unused, (names) => names.length === 0); // statistics come a moment later

  expect((await dropSearchIndex(ownersUrl)).state).toBe('none');
  expect(await findAll()).toEqual(without);
  expect((await pagesOf({ q: 'needle' })).length).toBeGreaterThan(1);
});

describe('the command', () => {
  const command = async (verb: string) => {
    const { code, out, err } = await runWarren(
      ['search-index', verb, '--json'],
      { DATABASE_URL: ownersUrl },
      { add: addSearchIndexCommands },
    );
    return { code, err, answer: (out === '' ? undefined : JSON.parse(out)) as SearchIndex | undefined };
  };
  const doctor = async () => {
    const { out } = await runWarren(
      ['doctor', '--json'],
      { DATABASE_URL: testDatabase.url, AMQP_URL: 'none' },
      { add: addDoctor },
    );
    const { findings } = JSON.parse(out) as { findings: Finding[] };
    return findings.filter(({ code }) => code.includes('index')).map(({ code, detail }) => [code, detail]);
  };

  test('makes them once, replaces what is broken, drops them, and the audit and the doctor know', async () => {
    expect((await command('status')).answer).toMatchObject({ state: 'none', bytes: 0 });
    expect(await doctor()).toEqual([]);
    expect(await command('create')).toMatchObject({ code: 0, answer: { state: 'ready' } });
    expect(await doctor()).toEqual([]);

    await sql`update pg_index set indisvalid = false where indexrelid = 'warren.jobs_text_of_args'::regclass`; // as a build that was killed leaves it
    await sql`drop index warren.jobs_long_args`;
    expect((await command('status')).answer).toMatchObject({
      state: 'incomplete',
      indexes: [
        { name: 'jobs_long_args', state: 'missing', bytes: 0 },
        { name: 'jobs_text_of_args', state: 'invalid' },
        { name: 'jobs_text_of_errors', state: 'valid' },
      ],
    });
    expect(await doctor()).toEqual([
      ['index-invalid', 'warren.jobs_text_of_args is invalid'],
      ['search-index-incomplete', 'warren.jobs_long_args is missing'],
    ]);
    expect((await pagesOf({ q: 'needle' })).length).toBeGreaterThan(1); // none is used

    expect((await command('create')).answer).toMatchObject({ state: 'ready' });
    expect((await pagesOf({ q: 'needle' })).length).toBe(1);
    expect(await doctor()).toEqual([]);
    expect((await command('drop')).answer).toMatchObject({ state: 'none', bytes: 0 });
    const noted = await sql`select act, target, outcome from warren.audit order by id`;
    expect(noted.map(({ act, outcome }) => [act, outcome])).toEqual([
      ['indexes.create', 'done'],
      ['indexes.create', 'done'],
      ['indexes.drop', 'done'],
    ]);
  });

  test('refuses who is not the owner of the schema', async () => {
    const environment = { DATABASE_URL: asRole(testDatabase.url, 'api') };
    const { code, err } = await runWarren(['search-index', 'create'], environment, {
      add: addSearchIndexCommands,
    });
    expect(code).not.toBe(0);
    expect(err).toMatch(/permission denied|must be owner/);
  });
});

test('no arguments are too much for the indexes, whatever their letters', async () => {
  await createSearchIndex(ownersUrl);
  const letters = [...'abcdefghijklmnopqrstuvwxyz0123456789'];
  const pairs = letters.flatMap((one) => letters.map((other) => `${one}${other}`)).join(' ');
  for (const bytes of [1_400, 1_450, 1_490, 1_600, 3_000])
    await insert('open', { text: pairs.slice(0, bytes) });
  await insert('open', {
    text: Array.from({ length: 60_000 }, (_, at) =>
      String.fromCodePoint(0x4e00 + ((at * 7919) % 20_000)),
    ).join(''),
  });
  await sql`
    insert into warren.jobs (type, queue, state, max_attempts, args, finished_at)
    select 'open', 'default', 'completed', 1, jsonb_build_object('text', substr(${pairs}, 1, 1400) || n), now() from generate_series(1, 300) as n`;
  expect((await pagesOf({ q: 'aa ab ac ad' })).flat()).toHaveLength(305);
});
