// How fast one worker gets through a backlog of trivial jobs, beside Warren before and the raw floor, and what that costs each server per job.
import { brokerQueue } from '../../../src/shared/rabbitmq/topology.ts';
import type { Report, Section } from '../../report/report.ts';
import { median, medianRatio } from '../../report/statistics.ts';
import { processorTimeBetween, readProcessorTime, serverParticipants } from '../../stage/processor-time.ts';
import { rotate } from '../../stage/rotate.ts';
import { databaseWorkBetween, readDatabaseWork } from '../database-work.ts';
import { measureFloor } from '../floor.ts';
import type { PartOptions } from '../part.ts';
import { scaled } from '../part.ts';
import type { Contender } from '../programs.ts';
import { openContenders, startWorkers } from '../programs.ts';

const ROUNDS = 3;
const JOBS = 100_000;
const FLOOR_JOBS = 60_000;

interface Setting {
  title: string;
  channels: number;
  prefetch: number;
}

const settings: readonly Setting[] = [
  { title: 'default settings, 5 channels × prefetch 20', channels: 5, prefetch: 20 },
  { title: '5 channels × prefetch 200', channels: 5, prefetch: 200 },
];

interface BurnDown {
  perSecond: number;
  statementsPerJob: number;
  walBytesPerJob: number;
  /** Microseconds per job, by process. */
  processorUs: Readonly<Record<string, number>>;
}

interface Measured {
  setting: Setting;
  /** Of Warren, and of Warren before where it takes part. */
  rounds: { title: string; runs: BurnDown[] }[];
  floors: number[];
}

export async function measureBurnDown(options: PartOptions): Promise<Report> {
  await using opened = new AsyncDisposableStack();
  const contenders = await openContenders(options, 'bench_burn_down', opened);
  const results = settings.map(
    (setting): Measured => ({
      setting,
      rounds: contenders.map(({ warren: { title } }) => ({ title, runs: [] })),
      floors: [],
    }),
  );
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const { setting, rounds, floors } of results) {
      const [own] = contenders;
      if (own !== undefined) floors.push(await burnDownFloor(options, own, setting));
      for (const contender of rotate(contenders, round)) {
        const { title } = contender.warren;
        const run = await burnDown(options, contender, setting);
        rounds.find((each) => each.title === title)?.runs.push(run);
        options.log(`burn-down, ${setting.title}: ${title}, ${Math.round(run.perSecond)} jobs/s`);
      }
    }
  }
  return compose(options, results);
}

/** Jobs per second whose messages are taken and acknowledged, and nothing else. */
async function burnDownFloor(
  options: PartOptions,
  { place, backlog }: Contender,
  { channels, prefetch }: Setting,
): Promise<number> {
  const jobs = scaled(FLOOR_JOBS, options, 1_000);
  const batch = await backlog.add({ jobs, type: 'bench-trivial' });
  const messages = await backlog.depth(batch.queue);
  const queue = brokerQueue(batch.queue);
  const { amqpUrl } = place;
  const perSecond = jobs / (await measureFloor({ amqpUrl, queue, channels, prefetch, messages }));
  await backlog.clear();
  return perSecond;
}

async function burnDown(
  options: PartOptions,
  { warren, place, backlog }: Contender,
  { channels, prefetch }: Setting,
): Promise<BurnDown> {
  const jobs = scaled(JOBS, options, 1_000);
  const batch = await backlog.add({ jobs, type: 'bench-trivial' });
  await backlog.settle();
  const workBefore = await readDatabaseWork(backlog.sql);
  const serversBefore = readProcessorTime(serverParticipants(options.stage));
  const queues = `default:${channels}:${prefetch}`;
  const workers = await startWorkers(options.stage, { place, warren, queues });
  const { perSecond } = await backlog.done(batch);
  const worker = readProcessorTime({ worker: workers[0]?.process.pid ?? 0 });
  const servers = processorTimeBetween(serversBefore, readProcessorTime(serverParticipants(options.stage)));
  await options.stage.stop(workers);
  const work = databaseWorkBetween(workBefore, await readDatabaseWork(backlog.sql));
  await backlog.clear();
  return {
    perSecond,
    statementsPerJob: work.statements / jobs,
    walBytesPerJob: work.walBytes / jobs,
    processorUs: Object.fromEntries(
      Object.entries({ ...worker, ...servers }).map(([name, seconds]) => [
        name,
        (seconds / jobs) * 1_000_000,
      ]),
    ),
  };
}

const rates = (runs: readonly BurnDown[]) => runs.map(({ perSecond }) => perSecond);

function compose(options: PartOptions, results: readonly Measured[]): Report {
  const [byDefault] = results;
  const own = byDefault?.rounds[0]?.runs ?? [];
  return {
    name: 'work-burn-down',
    title: 'Trivial jobs, one worker',
    command: 'npm run bench:work -- --part burn-down',
    facts: options.facts,
    notes: [
      `A backlog of ${scaled(JOBS, options, 1_000)} jobs whose handler does nothing, burnt down by one worker: from the first start to the last end, by Postgres' clock; ` +
        `medians of ${ROUNDS} rounds, ratios within them. The floor is amqplib that takes and acknowledges the messages of such a backlog at the same prefetch, in the same round.`,
      'The processor time of the worker includes its start.',
    ],
    bars: [
      {
        what: 'trivial jobs per second, one worker, against the raw amqplib floor',
        demand: 'at least',
        limit: 0.5,
        measured: medianRatio(rates(own), byDefault?.floors ?? []),
      },
      {
        what: 'Postgres statements per job, the worker alone',
        demand: 'at most',
        limit: 0.08,
        measured: median(own.map(({ statementsPerJob }) => statementsPerJob)),
        digits: 3,
      },
    ],
    sections: [rateSection(results), costSection(results)],
    data: results,
  };
}

function rateSection(results: readonly Measured[]): Section {
  return {
    title: 'Jobs per second',
    table: {
      columns: [
        { title: '' },
        { title: '' },
        { title: 'jobs/s' },
        { title: 'Warren against it', digits: 2 },
        { title: 'of the floor', digits: 2 },
      ],
      rows: results.flatMap(({ setting, rounds, floors }) => {
        const own = rates(rounds[0]?.runs ?? []);
        const lines = [
          ...rounds.map(({ title, runs }) => ({ title, perSecond: rates(runs) })),
          { title: 'floor', perSecond: floors },
        ];
        return lines.map(({ title, perSecond }) => [
          setting.title,
          title,
          median(perSecond),
          medianRatio(own, perSecond),
          medianRatio(perSecond, floors),
        ]);
      }),
    },
  };
}

function costSection(results: readonly Measured[]): Section {
  const processes = ['worker', 'RabbitMQ', 'Postgres'];
  return {
    title: 'What a job costs from its delivery to its acknowledgement',
    note: 'µs: processor time. Enqueueing is not in it.',
    table: {
      columns: [
        { title: '' },
        { title: '' },
        { title: 'statements', digits: 3 },
        { title: 'WAL bytes' },
        ...processes.map((name) => ({ title: `${name} µs` })),
      ],
      rows: results.flatMap(({ setting, rounds }) =>
        rounds.map(({ title, runs }) => [
          setting.title,
          title,
          median(runs.map(({ statementsPerJob }) => statementsPerJob)),
          median(runs.map(({ walBytesPerJob }) => walBytesPerJob)),
          ...processes.map((name) => median(runs.map(({ processorUs }) => processorUs[name] ?? 0))),
        ]),
      ),
    },
  };
}
