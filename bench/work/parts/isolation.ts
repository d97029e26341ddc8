// What neighbours notice of a thread that loops for ever and of a process that leaks, in the same worker: how long their jobs take with and without.
import { waitUntil } from '../../../dev/wait-until.ts';
import type { Report } from '../../report/report.ts';
import { median, percentile } from '../../report/statistics.ts';
import { Backlog } from '../backlog.ts';
import { HOSTILE_MS } from '../job-types.ts';
import type { PartOptions } from '../part.ts';
import { scaled } from '../part.ts';
import { startApi, startWorkers } from '../programs.ts';
import { sendSteadily } from '../steady-load.ts';

const ROUNDS = 5;
const SECONDS = 8;
const PER_SECOND = 100;
const WARM_UP = { perSecond: 200, seconds: 3 };
const HOSTILE = ['bench-loop', 'bench-leak'];
const MODES = ['alone', 'beside both'] as const;
const body = () => ({ type: 'bench-stamp', args: {} });

interface Neighbours {
  mode: (typeof MODES)[number];
  jobs: number;
  /** From the request to the handler's start. */
  ms: { p50: number; p99: number; max: number };
  /** Of the hostile jobs: how many ended at their time-out. */
  timedOut: number;
}

export async function measureIsolation(options: PartOptions): Promise<Report> {
  const { stage } = options;
  const place = await stage.createPlace('bench_isolation');
  const api = await startApi(stage, place);
  const workers = await startWorkers(stage, { place });
  await using backlog = await Backlog.open(place);
  await sendSteadily({ ...WARM_UP, url: api.url, body });
  await backlog.ended('default');
  const measured: Neighbours[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const mode of round % 2 === 0 ? MODES : MODES.toReversed())
      measured.push(await playMode(mode, api.url, { backlog, options }));
  }
  await stage.stop([api, ...workers]);
  return compose(options, measured);
}

interface Playing {
  backlog: Backlog;
  options: PartOptions;
}

async function playMode(
  mode: Neighbours['mode'],
  url: string,
  { backlog, options }: Playing,
): Promise<Neighbours> {
  await backlog.clear();
  if (mode === 'beside both') await startHostile(url, backlog);
  const sent = await sendSteadily({ url, perSecond: PER_SECOND, seconds: scaled(SECONDS, options), body });
  await backlog.ended('default');
  const startedAt = await readStarts(backlog);
  const waits = sent.map(({ jobId, sentAt }) => {
    const at = startedAt.get(jobId);
    if (at === undefined) throw new Error(`job ${jobId} was answered with 202 and is not completed`);
    return at - sentAt;
  });
  await backlog.ended('reports');
  const [late] = await backlog.sql<{ count: number }[]>`
    select count(*)::int as count from warren.jobs
    where type in ${backlog.sql(HOSTILE)} and state = 'discarded' and errors->0->>'message' like 'timeout:%'`;
  const ms = { p50: percentile(waits, 50), p99: percentile(waits, 99), max: percentile(waits, 100) };
  options.log(`isolation, ${mode}: p50 ${ms.p50.toFixed(1)} ms, p99 ${ms.p99.toFixed(1)} ms`);
  return { mode, jobs: sent.length, ms, timedOut: late?.count ?? 0 };
}

/** Both run when it resolves: the load begins beside them. Their thread and process are started before, for the time-out counts from the handlers' start. */
async function startHostile(url: string, backlog: Backlog): Promise<void> {
  const send = (isHarmless: boolean) =>
    sendSteadily({
      url,
      perSecond: HOSTILE.length,
      seconds: 1,
      body: (n) => ({ type: HOSTILE[n], queue: 'reports', args: { isHarmless } }),
    });
  await send(true);
  await backlog.ended('reports');
  await send(false);
  await waitUntil({
    what: 'the start of both',
    check: async () => {
      const [row] = await backlog.sql<{ count: number }[]>`
        select count(*)::int as count from warren.jobs join warren.job_progress on job_id = id
        where state = 'running' and type in ${backlog.sql(HOSTILE)}`;
      return row?.count === HOSTILE.length ? true : undefined;
    },
    timeoutMs: HOSTILE_MS,
  });
}

async function readStarts(backlog: Backlog): Promise<Map<string, number>> {
  const rows = await backlog.sql<{ id: string; at: number }[]>`
    select id, (output->>'startedAt')::float8 as at from warren.jobs where type = 'bench-stamp' and state = 'completed'`;
  return new Map(rows.map(({ id, at }) => [id, at]));
}

function compose(options: PartOptions, measured: readonly Neighbours[]): Report {
  const at = (mode: Neighbours['mode'], pick: (each: Neighbours) => number) =>
    median(measured.filter((each) => each.mode === mode).map(pick));
  const beside = measured.filter(({ mode }) => mode === 'beside both');
  const timedOut = beside.reduce((sum, each) => sum + each.timedOut, 0);
  return {
    name: 'work-isolation',
    title: 'Neighbours of a thread that loops for ever and of a process that leaks',
    command: 'npm run bench:work -- --part isolation',
    facts: options.facts,
    notes: [
      `${PER_SECOND} jobs per second for ${scaled(SECONDS, options)} s, one API, one worker with default settings, alone and beside two jobs of the same worker: one loops in a thread, ` +
        `one leaks in a process (niceness 19); both have a time-out of ${HOSTILE_MS / 1_000} s. Medians of ${ROUNDS} rounds, in turn. All programs and both servers share the ` +
        'processors of the machine, so that the two jobs take theirs from everybody: what is left of a difference is that.',
    ],
    bars: [
      {
        what: 'request to the start of a neighbour, p99, beside both against alone',
        demand: 'at most',
        limit: 1.2,
        measured: at('beside both', ({ ms }) => ms.p99) / at('alone', ({ ms }) => ms.p99),
      },
      {
        what: 'of the two jobs of each round, ended at their time-out',
        demand: 'at least',
        limit: 2,
        measured: timedOut / beside.length,
        digits: 0,
      },
    ],
    sections: [
      {
        title: 'Milliseconds from the request to the start of a neighbour',
        table: {
          columns: [
            { title: '' },
            { title: 'p50', digits: 1 },
            { title: 'p99', digits: 1 },
            { title: 'max', digits: 1 },
          ],
          rows: MODES.map((mode) => [
            mode,
            at(mode, ({ ms }) => ms.p50),
            at(mode, ({ ms }) => ms.p99),
            at(mode, ({ ms }) => ms.max),
          ]),
        },
      },
    ],
    data: measured,
  };
}
