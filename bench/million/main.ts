// `npm run bench:million`: search, counts and retention with a million jobs in the table, texts with their indexes and without. `--jobs` and `--finished` for other sizes, whose results are not kept.
import postgres from 'postgres';
import { searchJobs } from '../../src/queue/search.ts';
import type { JobFilter } from '../../src/shared/job/job-filter.ts';
import { Events } from '../../src/shared/observe/events.ts';
import { Database } from '../../src/shared/postgres/database.ts';
import { countJobs } from '../../src/shared/postgres/statements/counts.ts';
import { countUnpublished, findQueueAges } from '../../src/shared/postgres/statements/read.ts';
import { collectFacts } from '../report/facts.ts';
import { renderReport } from '../report/markdown.ts';
import type { Bar, Report } from '../report/report.ts';
import { writeReport } from '../report/results.ts';
import { median, percentile } from '../report/statistics.ts';
import { areDefaults, readOptions, runOnStage } from '../stage/command-line.ts';
import { copyDatabase } from '../stage/places.ts';
import { othersShare, readMachineTime } from '../stage/processor-time.ts';
import { measurePruning } from './pruning.ts';
import { seed } from './seed.ts';
import { measureTexts, textBars, textSections } from './texts.ts';

const QUEUES = ['critical', 'default', 'reports', 'webhooks'];
const REPETITIONS = 200;
const PAGES = 30;

const filters: readonly [string, JobFilter][] = [
  ['everything', {}],
  ['a common type', { type: 'greet', state: 'completed' }],
  ['a rare type', { type: 'rare' }],
  ['a rare type that has ended', { type: 'rare', state: 'completed' }],
  ['a state that few are in', { state: 'scheduled' }],
  ['discarded, the latest', { state: 'discarded' }],
  ['a rare group', { group: 'acme' }],
  ['a rare tag', { tag: 'urgent' }],
  ['text of a common kind', { q: 'back door' }],
  ['text of errors', { q: 'ECONNREFUSED 10.0.0.50', state: 'discarded' }],
  ['text of one old job', { q: 'person1007@' }],
  ['text of no job', { q: 'nowhere to be found' }],
  ['a state that none is in', { state: 'running' }],
];

interface Search {
  title: string;
  /** Milliseconds of each page. */
  pages: number[];
  found: number;
  isComplete: boolean;
}

const defaults = { jobs: '1000000', finished: '1000000' };
const options = readOptions({
  name: 'npm run bench:million',
  about: 'Measures search, counts and retention with a million jobs in the table.',
  defaults,
  meanings: { jobs: 'rows that are searched and counted', finished: 'rows that are thinned out' },
});

await runOnStage('bench', async (stage, log) => {
  const facts = await collectFacts({ servers: stage.services });
  const started = readMachineTime();
  const { databaseUrl } = await stage.createPlace('bench_million');
  const database = new Database({ url: databaseUrl, name: 'bench', min: 1, max: 2, events: new Events() });
  try {
    await fill(databaseUrl, Number(options.jobs));
    const indexedUrl = await copyDatabase(stage.services.databaseUrl, 'bench_million', 'bench_million_texts');
    log(`${options.jobs} rows are there, twice`);
    const searches: Search[] = [];
    for (const [title, filter] of filters) searches.push(await search(database, title, filter));
    const counts = await timed(() => database.query(countJobs));
    const gauges = await timed(async () => {
      await database.query(countJobs);
      await database.query(countUnpublished);
      await database.query((asked) => findQueueAges(asked, QUEUES));
    });
    log('search and counts are measured');
    const texts = await measureTexts({ databaseUrl, indexedUrl, log });
    log('what a job pays for the indexes of texts is measured');
    const pruning = await measurePruning(databaseUrl, Number(options.finished));
    const others = othersShare(started, readMachineTime());
    const report: Report = {
      name: 'million',
      title: 'A million jobs: search, counts, retention',
      command: 'npm run bench:million',
      facts,
      notes: [
        `${options.jobs} jobs of five types in three queues, 2 % of them waiting, 2 % discarded. Every page of a search is timed, up to ${PAGES} pages of 50 jobs; counts and gauges ${REPETITIONS} times.`,
        `Retention: ${options.finished} finished rows that are kept no longer, thinned out as the leader does it, while jobs live through insert, claim and record on four connections in groups of 32; six rounds of five seconds with the pruner and without, in turn.`,
        `Processes of others took ${Math.round(others * 100)} % of the processors meanwhile.`,
      ],
      bars: [...bars({ searches, counts, gauges, pruning }), ...textBars(texts)],
      sections: [
        {
          title: 'Search',
          note: 'A search that is not complete would go on with the cursor of its last page.',
          table: {
            columns: [
              { title: '' },
              { title: 'pages' },
              { title: 'first page ms', digits: 1 },
              { title: 'slowest page ms', digits: 1 },
              { title: 'found' },
              { title: 'complete' },
            ],
            rows: searches.map(({ title, pages, found, isComplete }) => [
              title,
              pages.length,
              pages[0] ?? null,
              Math.max(...pages),
              found,
              isComplete ? 'yes' : 'no',
            ]),
          },
        },
        ...textSections(texts),
        {
          title: 'Retention',
          table: {
            columns: [{ title: '' }, { title: '' }],
            rows: [
              ['jobs per second without the pruner', pruning.alone],
              ['jobs per second with it', pruning.withPruner],
              ['rows deleted per second', pruning.deletedPerSecond],
              ['table and indexes before, MB', pruning.tableBytesBefore / 1e6],
              ['table and indexes after, MB', pruning.tableBytesAfter / 1e6],
            ],
          },
        },
      ],
      data: { searches, counts, gauges, texts, pruning },
    };
    process.stdout.write(areDefaults(options, defaults) ? writeReport(report) : renderReport(report));
  } finally {
    await database.stop();
  }
});

async function fill(databaseUrl: string, jobs: number): Promise<void> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  try {
    await seed(sql, jobs);
  } finally {
    await sql.end();
  }
}

async function search(database: Database, title: string, filter: JobFilter): Promise<Search> {
  const pages: number[] = [];
  let found = 0;
  let before: string | undefined;
  do {
    const startedAt = performance.now();
    const page = await searchJobs(database, filter, { before, limit: 50 });
    pages.push(performance.now() - startedAt);
    found += page.jobs.length;
    before = page.next ?? undefined;
  } while (before !== undefined && pages.length < PAGES);
  return { title, pages, found, isComplete: before === undefined };
}

async function timed(work: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let repetition = 0; repetition < REPETITIONS; repetition += 1) {
    const startedAt = performance.now();
    await work();
    times.push(performance.now() - startedAt);
  }
  return times;
}

function bars(measured: {
  searches: readonly Search[];
  counts: readonly number[];
  gauges: readonly number[];
  pruning: { ratio: number };
}): Bar[] {
  const pages = measured.searches.flatMap((search) => search.pages);
  const atMost = (what: string, limit: number, value: number): Bar => ({
    what,
    demand: 'at most',
    limit,
    measured: value,
    unit: 'ms',
    digits: 1,
  });
  return [
    atMost('a page of a search, p99 of all', 200, percentile(pages, 99)),
    atMost('a page of a search, p50 of all', 200, median(pages)),
    atMost('the counts of all queues, p99', 20, percentile(measured.counts, 99)),
    atMost('the gauges on jobs, p99', 20, percentile(measured.gauges, 99)),
    {
      what: 'throughput while finished rows are thinned out, against without',
      demand: 'at least',
      limit: 0.95,
      measured: measured.pruning.ratio,
    },
  ];
}
