// Whether 8 workers do eight times as much as one, with jobs of 50 ms, until the processors are full.
import type { Report, Section } from '../../report/report.ts';
import { median, medianRatio } from '../../report/statistics.ts';
import { processorTimeBetween, readProcessorTime, serverParticipants } from '../../stage/processor-time.ts';
import type { Place } from '../../stage/stage.ts';
import { Backlog } from '../backlog.ts';
import type { PartOptions } from '../part.ts';
import { scaled } from '../part.ts';
import { startWorkers } from '../programs.ts';

const JOB_MS = 50;
const WORKERS = [1, 2, 4, 8];
const ROUNDS = 3;
/** Of the steady part of a run, between the start of everything and the end of the backlog. */
const WINDOW_SECONDS = 4;
const SETTLING_SECONDS = 2;

interface Setting {
  title: string;
  queues: string;
  slots: number;
  /** Jobs per second that one worker is given at most, so that the backlog lasts. */
  generous: number;
}

const small: Setting = {
  title: '20 jobs at once per worker',
  queues: 'default:5:4',
  slots: 20,
  generous: 400,
};
const large: Setting = {
  title: '100 jobs at once per worker',
  queues: 'default:5:20',
  slots: 100,
  generous: 2_000,
};

interface Scale {
  workers: number;
  perSecond: number;
  /** Of all processors, by the workers and both servers. */
  processorShare: number;
}

export async function measureScaling(options: PartOptions): Promise<Report> {
  const place = await options.stage.createPlace('bench_scaling');
  await using backlog = await Backlog.open(place);
  const runs = new Map<Setting, Scale[]>([
    [small, []],
    [large, []],
  ]);
  for (const setting of [small, large]) {
    const rounds = setting === small ? ROUNDS : 1;
    for (let round = 1; round <= rounds; round += 1) {
      for (const workers of WORKERS) {
        const scale = await measureWorkers(options, { place, backlog, setting, workers });
        runs.get(setting)?.push(scale);
        options.log(`scaling, ${setting.title}: ${workers} workers, ${Math.round(scale.perSecond)} jobs/s`);
      }
    }
  }
  return compose(options, runs);
}

async function measureWorkers(
  options: PartOptions,
  { place, backlog, setting, workers }: { place: Place; backlog: Backlog; setting: Setting; workers: number },
): Promise<Scale> {
  const windowSeconds = scaled(WINDOW_SECONDS, options);
  const total = Math.min(60_000, setting.generous * workers * (SETTLING_SECONDS + windowSeconds + 1));
  const batch = await backlog.add({ jobs: total, type: 'bench-wait', args: { ms: JOB_MS } });
  await backlog.settle();
  const started = await startWorkers(options.stage, { place, count: workers, queues: setting.queues });
  const participants = {
    ...serverParticipants(options.stage),
    ...Object.fromEntries(started.map(({ process }) => [process.name, process.pid])),
  };
  await new Promise((resolve) => setTimeout(resolve, SETTLING_SECONDS * 1_000));
  const before = readProcessorTime(participants);
  const [from] = await backlog.sql<{ at: Date }[]>`select now() as at`;
  await new Promise((resolve) => setTimeout(resolve, windowSeconds * 1_000));
  const spent = processorTimeBetween(before, readProcessorTime(participants));
  const [window] = await backlog.sql<{ jobs: number; seconds: number; left: number }[]>`
    select count(*) filter (where finished_at >= ${from?.at ?? null} and finished_at < now())::int as jobs,
      extract(epoch from now() - ${from?.at ?? null})::float8 as seconds,
      count(*) filter (where state = 'available')::int as left
    from warren.jobs where id >= ${batch.firstId}`;
  if (window === undefined || window.left === 0) throw new Error('the backlog was too short for the window');
  await options.stage.stop(started);
  await backlog.clear();
  const busy = Object.values(spent).reduce((sum, seconds) => sum + seconds, 0);
  return {
    workers,
    perSecond: window.jobs / window.seconds,
    processorShare: busy / (window.seconds * options.facts.cpus),
  };
}

function compose(options: PartOptions, runs: ReadonlyMap<Setting, Scale[]>): Report {
  const measured = runs.get(small) ?? [];
  return {
    name: 'work-scaling',
    title: `Jobs of ${JOB_MS} ms, 1 to 8 workers`,
    command: 'npm run bench:work -- --part scaling',
    facts: options.facts,
    notes: [
      `Each job waits ${JOB_MS} ms, as for a peer. A backlog that outlasts the measurement; jobs that ended within ${scaled(WINDOW_SECONDS, options)} s, ` +
        `${SETTLING_SECONDS} s after all workers were ready; medians of the rounds.`,
    ],
    bars: [
      {
        what: '8 workers against 8 times one worker',
        demand: 'at least',
        limit: 0.95,
        measured: medianRatio(rates(measured, 8), rates(measured, 1)) / 8,
      },
    ],
    sections: [...runs].map(([setting, scales]) => section(setting, scales)),
    data: [...runs].map(([setting, scales]) => ({ setting, scales })),
  };
}

function section({ title, slots, queues }: Setting, scales: readonly Scale[]): Section {
  const most = (1_000 / JOB_MS) * slots;
  return {
    title,
    note: `WORKER_QUEUES=${queues}; at best ${most} jobs per second and worker.`,
    table: {
      columns: [
        { title: 'workers' },
        { title: 'jobs/s' },
        { title: 'of linear', digits: 2 },
        { title: 'of the best possible', digits: 2 },
        { title: 'processors in use', digits: 2 },
      ],
      rows: WORKERS.map((workers) => [
        String(workers),
        median(rates(scales, workers)),
        medianRatio(rates(scales, workers), rates(scales, 1)) / workers,
        median(rates(scales, workers)) / (workers * most),
        median(
          scales.filter((scale) => scale.workers === workers).map(({ processorShare }) => processorShare),
        ),
      ]),
    },
    plot: {
      kind: 'lines',
      name: `${slots}-slots`,
      title: `Jobs of ${JOB_MS} ms, ${title}`,
      x: { title: 'workers' },
      y: { title: 'jobs per second' },
      series: [
        {
          label: 'measured',
          points: WORKERS.map((workers) => ({ x: workers, y: median(rates(scales, workers)) })),
        },
        {
          label: 'linear',
          points: WORKERS.map((workers) => ({ x: workers, y: workers * median(rates(scales, 1)) })),
        },
      ],
    },
  };
}

function rates(scales: readonly Scale[], workers: number): number[] {
  return scales.filter((scale) => scale.workers === workers).map(({ perSecond }) => perSecond);
}
