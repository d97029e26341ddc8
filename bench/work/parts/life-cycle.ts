// What a job costs in its whole life under load, beside Warren before: enqueued over HTTP on 100 connections while a worker runs what is enqueued.

import { LoadGenerator } from '../../enqueue/load.ts';
import type { Bar, Report } from '../../report/report.ts';
import { median, medianRatio } from '../../report/statistics.ts';
import { processorTimeBetween, readProcessorTime, serverParticipants } from '../../stage/processor-time.ts';
import { rotate } from '../../stage/rotate.ts';
import { databaseWorkBetween, readDatabaseWork } from '../database-work.ts';
import type { PartOptions } from '../part.ts';
import { scaled } from '../part.ts';
import type { Contender } from '../programs.ts';
import { openContenders, startApi, startWorkers } from '../programs.ts';

const ROUNDS = 5;
const JOBS = 50_000;
const CONNECTIONS = 100;

interface LifeCycle {
  perSecond: number;
  statementsPerJob: number;
  walBytesPerJob: number;
  /** Microseconds per job, by process. */
  processorUs: Readonly<Record<string, number>>;
}

interface Measured extends Contender {
  rounds: LifeCycle[];
}

export async function measureLifeCycle(options: PartOptions): Promise<Report> {
  using load = new LoadGenerator();
  await using opened = new AsyncDisposableStack();
  const contenders = (await openContenders(options, 'bench_life_cycle', opened)).map(
    (contender): Measured => ({ ...contender, rounds: [] }),
  );
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const contender of rotate(contenders, round)) {
      const result = await liveThrough(options, contender, load);
      contender.rounds.push(result);
      options.log(
        `life cycle, ${contender.warren.title}: ${Math.round(result.perSecond)} jobs/s, ${result.statementsPerJob.toFixed(3)} statements per job`,
      );
    }
  }
  return compose(options, contenders);
}

/** API and worker are started and stopped within it: sessions tell all of their statements when they end. */
async function liveThrough(
  options: PartOptions,
  { warren, place, backlog }: Contender,
  load: LoadGenerator,
): Promise<LifeCycle> {
  const jobs = scaled(JOBS, options, 1_000);
  const work = await readDatabaseWork(backlog.sql);
  const servers = readProcessorTime(serverParticipants(options.stage));
  const api = await startApi(options.stage, place, warren);
  const [worker] = await startWorkers(options.stage, { place, warren });
  if (worker === undefined) throw new Error('a worker was asked for');
  const body = JSON.stringify({ type: 'bench-trivial', args: {} });
  const request = {
    method: 'POST' as const,
    path: '/v1/jobs',
    body,
    headers: { 'content-type': 'application/json' },
  };
  const { completed } = await load.fire({ url: api.url, requests: jobs, connections: CONNECTIONS, request });
  if (completed !== jobs) throw new Error(`${completed} of ${jobs} requests were answered with 2xx`);
  const seconds = await backlog.ended('default');
  const programs = readProcessorTime({ API: api.process.pid, worker: worker.process.pid });
  const spent = {
    ...programs,
    ...processorTimeBetween(servers, readProcessorTime(serverParticipants(options.stage))),
  };
  await options.stage.stop([api, worker]);
  const { statements, walBytes } = databaseWorkBetween(work, await readDatabaseWork(backlog.sql));
  await backlog.clear();
  return {
    perSecond: jobs / seconds,
    statementsPerJob: statements / jobs,
    walBytesPerJob: walBytes / jobs,
    processorUs: Object.fromEntries(
      Object.entries(spent).map(([name, used]) => [name, (used / jobs) * 1_000_000]),
    ),
  };
}

const PROCESSES = ['API', 'worker', 'RabbitMQ', 'Postgres'];

function compose(options: PartOptions, contenders: readonly Measured[]): Report {
  const of = ({ rounds }: Measured, pick: (round: LifeCycle) => number) => median(rounds.map(pick));
  return {
    name: 'work-life-cycle',
    title: 'What a job costs in its whole life, under load',
    command: 'npm run bench:work -- --part life-cycle',
    facts: options.facts,
    notes: [
      `${scaled(JOBS, options, 1_000)} trivial jobs by \`POST /v1/jobs\` on ${CONNECTIONS} connections, one API, one worker at work meanwhile; medians of ${ROUNDS} rounds. ` +
        'Everything is counted from before the start of both programs to after their end: inserts, marks, claims, records and chores.',
    ],
    bars: bars(contenders),
    sections: [
      {
        title: 'Per job',
        note: 'µs: processor time. Jobs per second: from the first insert to the last record.',
        table: {
          columns: [
            { title: '' },
            { title: 'jobs/s' },
            { title: 'statements', digits: 3 },
            { title: 'WAL bytes' },
            ...PROCESSES.map((name) => ({ title: `${name} µs` })),
          ],
          rows: contenders.map((contender) => [
            contender.warren.title,
            of(contender, ({ perSecond }) => perSecond),
            of(contender, ({ statementsPerJob }) => statementsPerJob),
            of(contender, ({ walBytesPerJob }) => walBytesPerJob),
            ...PROCESSES.map((name) => of(contender, ({ processorUs }) => processorUs[name] ?? 0)),
          ]),
        },
      },
    ],
    data: contenders.map(({ warren: { title }, rounds }) => ({ title, rounds })),
  };
}

function bars([own, before]: readonly Measured[]): Bar[] {
  if (own === undefined) throw new Error('nothing was measured');
  const rates = ({ rounds }: Measured) => rounds.map(({ perSecond }) => perSecond);
  const statements: Bar = {
    what: 'Postgres statements per job under load, from its insert to its record',
    demand: 'at most',
    limit: 0.08,
    measured: median(own.rounds.map(({ statementsPerJob }) => statementsPerJob)),
    digits: 3,
  };
  if (before === undefined) return [statements];
  return [
    {
      what: 'whole life of a job, jobs per second against Warren before',
      demand: 'at least',
      limit: 1.6,
      measured: medianRatio(rates(own), rates(before)),
    },
    statements,
  ];
}
