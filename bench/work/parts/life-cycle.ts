// What a job costs Postgres in its whole life under load: enqueued over HTTP on 100 connections while a worker runs what is enqueued.

import { LoadGenerator } from '../../enqueue/load.ts';
import type { Report } from '../../report/report.ts';
import { median } from '../../report/statistics.ts';
import { processorTimeBetween, readProcessorTime, serverParticipants } from '../../stage/processor-time.ts';
import type { Place } from '../../stage/stage.ts';
import { Backlog } from '../backlog.ts';
import { databaseWorkBetween, readDatabaseWork } from '../database-work.ts';
import type { PartOptions } from '../part.ts';
import { scaled } from '../part.ts';
import { startApi, startWorkers } from '../programs.ts';

const ROUNDS = 3;
const JOBS = 50_000;
const CONNECTIONS = 100;

interface LifeCycle {
  perSecond: number;
  statementsPerJob: number;
  walBytesPerJob: number;
  /** Microseconds per job, by process. */
  processorUs: Readonly<Record<string, number>>;
}

export async function measureLifeCycle(options: PartOptions): Promise<Report> {
  const place = await options.stage.createPlace('bench_life_cycle');
  await using backlog = await Backlog.open(place);
  using load = new LoadGenerator();
  const rounds: LifeCycle[] = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    const result = await liveThrough(options, { place, backlog, load });
    rounds.push(result);
    options.log(
      `life cycle: ${Math.round(result.perSecond)} jobs/s, ${result.statementsPerJob.toFixed(3)} statements per job`,
    );
  }
  return compose(options, rounds);
}

/** API and worker are started and stopped within it: sessions tell all of their statements when they end. */
async function liveThrough(
  options: PartOptions,
  { place, backlog, load }: { place: Place; backlog: Backlog; load: LoadGenerator },
): Promise<LifeCycle> {
  const jobs = scaled(JOBS, options, 1_000);
  const work = await readDatabaseWork(backlog.sql);
  const servers = readProcessorTime(serverParticipants(options.stage));
  const api = await startApi(options.stage, place);
  const [worker] = await startWorkers(options.stage, { place });
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

function compose(options: PartOptions, rounds: readonly LifeCycle[]): Report {
  const of = (pick: (round: LifeCycle) => number) => median(rounds.map(pick));
  const processes = ['API', 'worker', 'RabbitMQ', 'Postgres'];
  return {
    name: 'work-life-cycle',
    title: 'What a job costs in its whole life, under load',
    command: 'npm run bench:work -- --part life-cycle',
    facts: options.facts,
    notes: [
      `${scaled(JOBS, options, 1_000)} trivial jobs by \`POST /v1/jobs\` on ${CONNECTIONS} connections, one API, one worker at work meanwhile; medians of ${ROUNDS} rounds. ` +
        'Everything is counted from before the start of both programs to after their end: inserts, marks, claims, records and chores.',
    ],
    bars: [
      {
        what: 'Postgres statements per job under load, from its insert to its record',
        demand: 'at most',
        limit: 0.1,
        measured: of(({ statementsPerJob }) => statementsPerJob),
        digits: 3,
      },
    ],
    sections: [
      {
        title: 'Per job',
        note: 'µs: processor time. Jobs per second: from the first insert to the last record.',
        table: {
          columns: [
            { title: 'jobs/s' },
            { title: 'statements', digits: 3 },
            { title: 'WAL bytes' },
            ...processes.map((name) => ({ title: `${name} µs` })),
          ],
          rows: [
            [
              of(({ perSecond }) => perSecond),
              of(({ statementsPerJob }) => statementsPerJob),
              of(({ walBytesPerJob }) => walBytesPerJob),
              ...processes.map((name) => of(({ processorUs }) => processorUs[name] ?? 0)),
            ],
          ],
        },
      },
    ],
    data: rounds,
  };
}
