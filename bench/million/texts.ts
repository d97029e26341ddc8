// Searches for texts without the indexes of texts and with them, on two copies of the same jobs, and what a job pays for them. Groups of jobs live through insert,
// claim and record in both databases in turn, so that what disturbs the machine disturbs both.
import postgres from 'postgres';
import { searchJobs } from '../../src/queue/search.ts';
import { Events } from '../../src/shared/observe/events.ts';
import { connectionOptions } from '../../src/shared/postgres/connection-options.ts';
import { Database } from '../../src/shared/postgres/database.ts';
import { createSearchIndex } from '../../src/shared/postgres/search-index.ts';
import { claimJobs } from '../../src/shared/postgres/statements/claim.ts';
import { insertJobs } from '../../src/shared/postgres/statements/insert.ts';
import { recordOutcomes } from '../../src/shared/postgres/statements/record.ts';
import type { Bar, Section } from '../report/report.ts';
import { median, medianRatio, percentile } from '../report/statistics.ts';

const REPETITIONS = 30;
const PAGES = 30;
const GROUPS = 1_000;
const GROUP = 32;
const OWNER = '1';

const texts: readonly [string, string][] = [
  ['one old job, an address', 'person1007@'],
  ['one job, a number', '100299'],
  ['one job, a part of a hash', '81dc9bdb52d04dc2'],
  ['1 111 jobs, an address begun', 'person777'],
  ['4 000 errors', 'ECONNREFUSED 10.0.0.50'],
  ['some thousand jobs, three letters', 'a7f'],
  ['every job', 'back door'],
  ['no job', 'nowhere to be found'],
  ['no job, two letters', 'q+'],
];

interface TextSearch {
  title: string;
  /** Milliseconds of the first page, of each repetition. */
  firstPages: number[];
  /** Until all is found. Undefined: not after 30 pages. */
  pages: number | undefined;
}

const acts = ['insert', 'claim', 'record'] as const;
/** Milliseconds of each group. */
type GroupTimes = Record<(typeof acts)[number], number[]>;

export interface Texts {
  without: TextSearch[];
  with: TextSearch[];
  buildMs: number;
  indexes: { name: string; bytes: number }[];
  groups: { without: GroupTimes; with: GroupTimes };
}

export interface TextsOptions {
  databaseUrl: string;
  /** Of the copy that gets the indexes. */
  indexedUrl: string;
  log: (line: string) => void;
}

export async function measureTexts({ databaseUrl, indexedUrl, log }: TextsOptions): Promise<Texts> {
  const startedAt = performance.now();
  const { indexes } = await createSearchIndex(indexedUrl);
  const buildMs = performance.now() - startedAt;
  log('the indexes of texts are made');
  const without = await searchTexts(databaseUrl);
  const found = await searchTexts(indexedUrl);
  log('texts are searched');
  return { without, with: found, buildMs, indexes, groups: await liveInTurn(databaseUrl, indexedUrl) };
}

async function searchTexts(url: string): Promise<TextSearch[]> {
  const database = new Database({ url, name: 'bench', min: 1, max: 2, events: new Events() });
  try {
    const searches: TextSearch[] = [];
    for (const [title, q] of texts) {
      const firstPages: number[] = [];
      for (let repetition = 0; repetition < REPETITIONS; repetition += 1) {
        const startedAt = performance.now();
        await searchJobs(database, { q }, { before: undefined, limit: 50 });
        firstPages.push(performance.now() - startedAt);
      }
      searches.push({ title, firstPages, pages: await countPages(database, q) });
    }
    return searches;
  } finally {
    await database.stop();
  }
}

async function countPages(database: Database, q: string): Promise<number | undefined> {
  let before: string | undefined;
  for (let pages = 1; pages <= PAGES; pages += 1) {
    const page = await searchJobs(database, { q }, { before, limit: 50 });
    if (page.next === null) return pages;
    before = page.next;
  }
  return undefined;
}

async function liveInTurn(databaseUrl: string, indexedUrl: string): Promise<Texts['groups']> {
  const [plain, indexed] = [databaseUrl, indexedUrl].map((url) =>
    postgres(url, { ...connectionOptions('bench', { url }), max: 1 }),
  ) as [postgres.Sql, postgres.Sql];
  const groups = { without: noTimes(), with: noTimes() };
  try {
    for (let group = 0; group < GROUPS; group += 1) {
      const jobs = Array.from({ length: GROUP }, (_, place) => jobOf(group * GROUP + place));
      await liveThrough(plain, jobs, groups.without);
      await liveThrough(indexed, jobs, groups.with);
    }
    return groups;
  } finally {
    await Promise.all([plain.end(), indexed.end()]);
  }
}

function noTimes(): GroupTimes {
  return { insert: [], claim: [], record: [] };
}

/** As the seeded ones: about 130 bytes, a third of them random. */
function jobOf(n: number) {
  const customer = Array.from({ length: 4 }, () => Math.random().toString(16).slice(2, 10)).join('');
  const args = {
    orderId: n,
    customer,
    email: `person${n}@example.com`,
    note: 'please deliver to the back door before noon',
  };
  return { type: 'greet', queue: 'default', args: JSON.stringify(args), maxAttempts: 5 };
}

async function liveThrough(
  sql: postgres.Sql,
  jobs: readonly ReturnType<typeof jobOf>[],
  times: GroupTimes,
): Promise<void> {
  const timed = async <T>(act: keyof GroupTimes, work: () => Promise<T>): Promise<T> => {
    const startedAt = performance.now();
    const result = await work();
    times[act].push(performance.now() - startedAt);
    return result;
  };
  const inserted = await timed('insert', () => insertJobs(sql, jobs as never));
  const ids = inserted.map(({ id }) => id);
  const claims = await timed('claim', () =>
    claimJobs(sql, ids, { owner: OWNER, claimNumber: 1, types: '{greet}', queue: 'default' }),
  );
  const outcomes = claims.map(({ id, fence }) => ({
    id,
    fence,
    act: 'complete' as const,
    output: { ok: true },
  }));
  await timed('record', () => recordOutcomes(sql, outcomes, [OWNER]));
}

export function textBars(measured: Texts): Bar[] {
  const bar = (what: string, demand: Bar['demand'], limit: number, value: number, unit?: string): Bar => ({
    what,
    demand,
    limit,
    measured: value,
    ...(unit === undefined ? { digits: 0 } : { unit, digits: 1 }),
  });
  const pagesOf = (title: string) =>
    measured.with.find((search) => search.title === title)?.pages ?? Number.POSITIVE_INFINITY;
  return [
    bar(
      'the first page of a text with the indexes, p99 of all',
      'at most',
      200,
      percentile(
        measured.with.flatMap(({ firstPages }) => firstPages),
        99,
      ),
      'ms',
    ),
    bar(
      'pages until a text of one old job is found and no other, with the indexes',
      'at most',
      1,
      pagesOf('one old job, an address'),
    ),
    bar(
      'pages until a text of no job is known to be in none, with the indexes',
      'at most',
      1,
      pagesOf('no job'),
    ),
  ];
}

export function textSections({ without, with: found, buildMs, indexes, groups }: Texts): Section[] {
  const cells = ({ firstPages, pages }: TextSearch) => [
    median(firstPages),
    percentile(firstPages, 99),
    pages ?? `> ${PAGES}`,
  ];
  const perJob = (times: readonly number[]) => (median(times) / GROUP) * 1_000;
  return [
    {
      title: 'Texts, without the indexes of texts and with them',
      note: `The first page of 50 jobs, ${REPETITIONS} times each, and how many pages it takes until all is found. The indexes were made in ${Math.round(buildMs / 1_000)} s, and take ${indexes
        .map(({ name, bytes }) => `${Math.round(bytes / 1e6)} MB (\`${name}\`)`)
        .join(', ')}.`,
      table: {
        columns: [
          { title: 'in' },
          { title: 'p50 ms', digits: 1 },
          { title: 'p99 ms', digits: 1 },
          { title: 'pages' },
          { title: 'with: p50 ms', digits: 1 },
          { title: 'p99 ms', digits: 1 },
          { title: 'pages' },
        ],
        rows: without.map((search, place) => {
          const other = found[place];
          return [search.title, ...cells(search), ...(other === undefined ? [] : cells(other))];
        }),
      },
    },
    {
      title: 'What a job pays for the indexes of texts',
      note: `Microseconds of Postgres and the way to it per job, in groups of ${GROUP}, ${GROUPS} groups in each database in turn.`,
      table: {
        columns: [
          { title: '' },
          { title: 'without, µs', digits: 0 },
          { title: 'with, µs', digits: 0 },
          { title: 'ratio', digits: 2 },
          { title: 'p99 of a group without, ms', digits: 1 },
          { title: 'with, ms', digits: 1 },
        ],
        rows: [...acts, 'all three' as const].map((act) => {
          const [plain, indexed] = [timesOf(groups.without, act), timesOf(groups.with, act)];
          return [
            act,
            perJob(plain),
            perJob(indexed),
            medianRatio(indexed, plain),
            percentile(plain, 99),
            percentile(indexed, 99),
          ];
        }),
      },
    },
  ];
}

function timesOf(times: GroupTimes, act: keyof GroupTimes | 'all three'): readonly number[] {
  if (act !== 'all three') return times[act];
  return times.insert.map(
    (insertMs, group) => insertMs + (times.claim[group] ?? 0) + (times.record[group] ?? 0),
  );
}
