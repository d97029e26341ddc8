// `npm run bench:dashboard`: every page of the dashboard with a million jobs in the table, and what a tab costs that is left open. `--jobs`, `--rounds` and
// `--idle-s` for a quick look, whose results are not kept.
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import postgres from 'postgres';
import { seed } from '../million/seed.ts';
import { collectFacts } from '../report/facts.ts';
import { renderReport } from '../report/markdown.ts';
import type { Report } from '../report/report.ts';
import { writeReport } from '../report/results.ts';
import { median, percentile } from '../report/statistics.ts';
import { areDefaults, readOptions, runOnStage } from '../stage/command-line.ts';
import { othersShare, readMachineTime } from '../stage/processor-time.ts';

/** Numbers of the fleet are kept for a second: no round may see those of the round before. */
const ROUND_MS = 1_100;
const WARM_UP_ROUNDS = 5;
/** As the script of the dashboard asks again. */
const REFRESH_MS = 15_000;
const BATCH_JOBS = 10_000;

const defaults = { jobs: '1000000', rounds: '100', 'idle-s': '120' };
const options = readOptions({
  name: 'npm run bench:dashboard',
  about:
    'Measures every page of the dashboard with a million jobs in the table, and a tab that is left open.',
  defaults,
  meanings: {
    jobs: 'rows in the table',
    rounds: 'how often every page is asked for',
    'idle-s': 'seconds with an open tab, and as many without',
  },
});

await runOnStage('bench', async (stage, log) => {
  const facts = await collectFacts({ servers: stage.services });
  const started = readMachineTime();
  const place = await stage.createPlace('bench_dashboard');
  const sql = postgres(place.databaseUrl, { max: 1, onnotice: () => {} });
  try {
    await seed(sql, Number(options.jobs));
    const { batch, job } = await addBatch(sql);
    log(`${options.jobs} jobs are there`);
    const env = { DATABASE_URL: place.databaseUrl, AMQP_URL: place.amqpUrl };
    const api = await stage.start({ name: 'api', file: 'src/api/main.ts', env });
    await stage.start({
      name: 'worker',
      file: 'src/worker/main.ts',
      env: { ...env, WORKER_QUEUES: 'webhooks:1:1' }, // the seeded jobs are left as they are
      portSetting: 'WORKER_HEALTH_PORT',
    });
    const pages = pagesOf(batch, job);
    const times = await measurePages(api.url, pages);
    log('the pages are measured');
    const pid = api.process.pid;
    const alone = await measureProcessor(pid, Number(options['idle-s']));
    const withTab = await measureProcessor(pid, Number(options['idle-s']), `${api.url}/dashboard`);
    const tabMs = Math.max(0, withTab - alone);
    const others = othersShare(started, readMachineTime());
    const all = Object.values(times).flat();
    const report: Report = {
      name: 'dashboard',
      title: 'The dashboard with a million jobs',
      command: 'npm run bench:dashboard',
      facts,
      notes: [
        `${options.jobs} jobs, 2 % of them waiting and 2 % discarded, and a batch of ${BATCH_JOBS}. Every page is asked for ${options.rounds} times over HTTP, one after the other; rounds begin more than a second apart, so that no number that a process keeps for a second is used twice.`,
        `An open tab is what its script does: the overview, every ${REFRESH_MS / 1_000} s for ${options['idle-s']} s. Its cost is the processor time of the API, less that of as long a time without a tab (${alone.toFixed(2)} ms a second).`,
        `Processes of others took ${Math.round(others * 100)} % of the processors meanwhile.`,
      ],
      bars: [
        {
          what: 'the overview, p99',
          demand: 'at most',
          limit: 50,
          measured: percentile(times['overview'] ?? [], 99),
          unit: 'ms',
          digits: 1,
        },
        {
          what: 'any page, p99 of all',
          demand: 'at most',
          limit: 200,
          measured: percentile(all, 99),
          unit: 'ms',
          digits: 1,
        },
        {
          what: 'an open tab, processor time of the API a second',
          demand: 'at most',
          limit: 1,
          measured: tabMs,
          unit: 'ms',
        },
      ],
      sections: [
        {
          title: 'Pages',
          table: {
            columns: [
              { title: 'page' },
              { title: 'p50 ms', digits: 1 },
              { title: 'p99 ms', digits: 1 },
              { title: 'slowest ms', digits: 1 },
            ],
            rows: Object.entries(times).map(([name, measured]) => [
              name,
              median(measured),
              percentile(measured, 99),
              Math.max(...measured),
            ]),
          },
        },
      ],
      data: { times, alone, withTab },
    };
    process.stdout.write(areDefaults(options, defaults) ? writeReport(report) : renderReport(report));
  } finally {
    await sql.end();
  }
});

/** A batch that runs: its jobs are counted when it is looked at. Its jobs wait for a time to come. */
async function addBatch(sql: postgres.Sql): Promise<{ batch: string; job: string }> {
  const [row] = await sql<{ id: string }[]>`
    insert into warren.batches (is_open) values (true) returning id`;
  const batch = row?.id ?? '';
  const [last] = await sql<{ id: string }[]>`
    with added as (
      insert into warren.jobs (type, queue, state, max_attempts, args, run_at, batch_id)
      select 'invoice', 'default', 'scheduled', 5, '{}', now() + interval '1 day', ${batch} from generate_series(1, ${BATCH_JOBS})
      returning id
    )
    select max(id) as id from added`;
  return { batch, job: last?.id ?? '' };
}

function pagesOf(batch: string, job: string): Record<string, string> {
  return {
    overview: '/dashboard',
    jobs: '/dashboard/jobs',
    'jobs, discarded': '/dashboard/jobs?state=discarded',
    'jobs, of a type and a queue': '/dashboard/jobs?type=greet&queue=default&state=completed',
    'jobs, by text of errors': '/dashboard/jobs?state=discarded&q=ECONNREFUSED+10.0.0.50',
    'jobs, by text of none': '/dashboard/jobs?q=nowhere+to+be+found',
    'a job': `/dashboard/jobs/${job}`,
    queues: '/dashboard/queues',
    schedules: '/dashboard/schedules',
    batches: '/dashboard/batches',
    'a batch': `/dashboard/batches/${batch}`,
    limits: '/dashboard/limits',
    workers: '/dashboard/workers',
    'dead letters': '/dashboard/dead-letters',
    audit: '/dashboard/audit',
  };
}

/** Milliseconds of each page. */
async function measurePages(
  url: string,
  pages: Readonly<Record<string, string>>,
): Promise<Record<string, number[]>> {
  const times: Record<string, number[]> = Object.fromEntries(Object.keys(pages).map((name) => [name, []]));
  for (let round = -WARM_UP_ROUNDS; round < Number(options.rounds); round += 1) {
    const next = delay(ROUND_MS);
    for (const [name, path] of Object.entries(pages)) {
      const startedAt = performance.now();
      await open(url + path);
      if (round >= 0) times[name]?.push(performance.now() - startedAt);
    }
    await next;
  }
  return times;
}

async function open(address: string): Promise<void> {
  const answer = await fetch(address, { headers: { accept: 'text/html' } });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${address}: ${answer.status} ${text.slice(0, 200)}`);
}

/** Milliseconds of processor time a second of that process; with an open tab where there is an address. */
async function measureProcessor(pid: number, seconds: number, address?: string): Promise<number> {
  const before = readProcessorMs(pid);
  const endsAt = performance.now() + seconds * 1_000;
  while (performance.now() < endsAt) {
    const next = delay(REFRESH_MS);
    if (address !== undefined) await open(address);
    await next;
  }
  return (readProcessorMs(pid) - before) / seconds;
}

/** Of all threads of a process, to the nanosecond: the ticks of /proc/<pid>/stat are longer than what a look costs. */
function readProcessorMs(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const read = (thread: string) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
  return threads.reduce((sum, thread) => sum + read(thread), 0) / 1e6;
}
