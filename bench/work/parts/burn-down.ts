// How fast one worker gets through a backlog of trivial jobs, what that costs each server per job, and what is left of the raw floor.
import { brokerQueue } from '../../../src/shared/rabbitmq/topology.ts';
import type { Report, Section } from '../../report/report.ts';
import { median, medianRatio } from '../../report/statistics.ts';
import { processorTimeBetween, readProcessorTime, serverParticipants } from '../../stage/processor-time.ts';
import type { Place } from '../../stage/stage.ts';
import { Backlog } from '../backlog.ts';
import { databaseWorkBetween, readDatabaseWork } from '../database-work.ts';
import { measureFloor } from '../floor.ts';
import type { PartOptions } from '../part.ts';
import { scaled } from '../part.ts';
import { startWorkers } from '../programs.ts';

const ROUNDS = 3;
const JOBS = 100_000;
const FLOOR_MESSAGES = 60_000;

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
  floorPerSecond: number;
  statementsPerJob: number;
  walBytesPerJob: number;
  /** Microseconds per job, by process. */
  processorUs: Readonly<Record<string, number>>;
}

export async function measureBurnDown(options: PartOptions): Promise<Report> {
  const place = await options.stage.createPlace('bench_burn_down');
  await using backlog = await Backlog.open(place);
  const results = new Map<Setting, BurnDown[]>(settings.map((setting) => [setting, []]));
  for (let round = 1; round <= ROUNDS; round += 1) {
    for (const setting of settings) {
      const result = await burnDown(options, { place, backlog, setting });
      results.get(setting)?.push(result);
      options.log(
        `burn-down, ${setting.title}: ${Math.round(result.perSecond)} jobs/s, floor ${Math.round(result.floorPerSecond)}`,
      );
    }
  }
  return compose(options, results);
}

async function burnDown(
  options: PartOptions,
  { place, backlog, setting }: { place: Place; backlog: Backlog; setting: Setting },
): Promise<BurnDown> {
  const jobs = scaled(JOBS, options, 1_000);
  const { channels, prefetch } = setting;
  const messages = scaled(FLOOR_MESSAGES, options, 1_000);
  const floor = await backlog.add({ jobs: messages, type: 'bench-trivial' });
  const queue = brokerQueue(floor.queue);
  const floorPerSecond = await measureFloor({
    amqpUrl: place.amqpUrl,
    queue,
    channels,
    prefetch,
    messages,
  });
  await backlog.clear();

  const batch = await backlog.add({ jobs, type: 'bench-trivial' });
  await backlog.settle();
  const workBefore = await readDatabaseWork(backlog.sql);
  const serversBefore = readProcessorTime(serverParticipants(options.stage));
  const workers = await startWorkers(options.stage, { place, queues: `default:${channels}:${prefetch}` });
  const { perSecond } = await backlog.done(batch);
  const worker = readProcessorTime({ worker: workers[0]?.process.pid ?? 0 });
  const servers = processorTimeBetween(serversBefore, readProcessorTime(serverParticipants(options.stage)));
  await options.stage.stop(workers);
  const work = databaseWorkBetween(workBefore, await readDatabaseWork(backlog.sql));
  await backlog.clear();
  return {
    perSecond,
    floorPerSecond,
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

function compose(options: PartOptions, results: ReadonlyMap<Setting, BurnDown[]>): Report {
  const [byDefault = []] = [...results.values()];
  const rates = (rounds: readonly BurnDown[]) => rounds.map(({ perSecond }) => perSecond);
  const floors = (rounds: readonly BurnDown[]) => rounds.map(({ floorPerSecond }) => floorPerSecond);
  return {
    name: 'work-burn-down',
    title: 'Trivial jobs, one worker',
    command: 'npm run bench:work -- --part burn-down',
    facts: options.facts,
    notes: [
      `A backlog of ${scaled(JOBS, options, 1_000)} jobs whose handler does nothing, burnt down by one worker: from the first start to the last end, by Postgres' clock; ` +
        `medians of ${ROUNDS} rounds. The floor is amqplib that takes and acknowledges messages of the same queue at the same prefetch, in the same round.`,
      'The processor time of the worker includes its start.',
    ],
    bars: [
      {
        what: 'trivial jobs per second, one worker, against the raw amqplib floor',
        demand: 'at least',
        limit: 0.5,
        measured: medianRatio(rates(byDefault), floors(byDefault)),
      },
      {
        what: 'Postgres statements per job, the worker alone',
        demand: 'at most',
        limit: 0.1,
        measured: median(byDefault.map(({ statementsPerJob }) => statementsPerJob)),
        digits: 3,
      },
    ],
    sections: [rateSection(results), costSection(results)],
    data: [...results].map(([setting, rounds]) => ({ setting, rounds })),
  };
}

function rateSection(results: ReadonlyMap<Setting, BurnDown[]>): Section {
  return {
    title: 'Jobs per second',
    table: {
      columns: [
        { title: '' },
        { title: 'jobs/s' },
        { title: 'floor, messages/s' },
        { title: 'of the floor', digits: 2 },
      ],
      rows: [...results].map(([{ title }, rounds]) => {
        const rates = rounds.map(({ perSecond }) => perSecond);
        const floors = rounds.map(({ floorPerSecond }) => floorPerSecond);
        return [title, median(rates), median(floors), medianRatio(rates, floors)];
      }),
    },
  };
}

function costSection(results: ReadonlyMap<Setting, BurnDown[]>): Section {
  const processes = ['worker', 'RabbitMQ', 'Postgres'];
  return {
    title: 'What a job costs from its delivery to its acknowledgement',
    note: 'µs: processor time. Enqueueing is not in it.',
    table: {
      columns: [
        { title: '' },
        { title: 'statements', digits: 3 },
        { title: 'WAL bytes' },
        ...processes.map((name) => ({ title: `${name} µs` })),
      ],
      rows: [...results].map(([{ title }, rounds]) => [
        title,
        median(rounds.map(({ statementsPerJob }) => statementsPerJob)),
        median(rounds.map(({ walBytesPerJob }) => walBytesPerJob)),
        ...processes.map((name) => median(rounds.map(({ processorUs }) => processorUs[name] ?? 0))),
      ]),
    },
  };
}
