// `npm run bench:versus`: how fast jobs are taken in and how fast they get done, Warren beside what a user would pick instead.
// Writes bench/results/versus.{json,md,svg} and prints the page. `--contender`, `--rounds`, `--seconds` and `--part enqueue,trivial,io,latency` make a smaller run
// that keeps nothing.
// The floor and "Warren before" (`--before`) play in the same rounds.

import { collectFacts } from '../../report/facts.ts';
import { renderReport } from '../../report/markdown.ts';
import { writeReport } from '../../report/results.ts';
import { areDefaults, readOptions, runOnStage } from '../../stage/command-line.ts';
import { before, warrenBefore } from '../../stage/warren.ts';
import type { Contender } from '../contender.ts';
import type { FleetOptions } from '../contender-fleet.ts';
import { ContenderFleet } from '../contender-fleet.ts';
import type { ContenderName } from '../contenders.ts';
import { findContender } from '../contenders.ts';
import { VersusServers } from '../servers/servers.ts';
import { readVersions } from '../servers/versions.ts';
import { measureEnqueue } from './enqueue.ts';
import { measureLatency } from './latency.ts';
import { describeSpeed } from './page.ts';
import { measureWork } from './work.ts';

/** Batching changes nothing in how graphile-worker and pg-boss take jobs in, nor does Warren's or BullMQ's worker. */
const enqueueing: readonly ContenderName[] = [
  'warren',
  'warren-before',
  'floor',
  'naive',
  'bullmq-redis-everysec',
  'bullmq-redis-always',
  'bullmq-redis-always-grouped',
  'bullmq-postgres',
  'pg-boss',
  'graphile-worker',
];
/** Not pg-boss with its defaults: a slot of it takes one job every two seconds, whatever the machine. */
const working: readonly ContenderName[] = [
  'warren',
  'warren-ahead',
  'warren-before',
  'floor',
  'floor-ahead',
  'bullmq-redis-everysec',
  'bullmq-redis-always',
  'bullmq-postgres',
  'pg-boss-fastest',
  'graphile-worker',
  'graphile-worker-batched',
];
const CONNECTIONS = 100;
const CONCURRENCY = 100;
const IO_MS = 10;
/** One worker each. Not pg-boss with its defaults: see above. */
const hurrying: readonly ContenderName[] = working.filter((name) => !name.endsWith('-ahead'));
const LATENCY = { rounds: 3, seconds: 5, perSecond: 1_000, concurrency: CONCURRENCY };

const defaults = {
  rounds: '5',
  'work-rounds': '3',
  seconds: '3.5',
  contender: '',
  part: 'enqueue,trivial,io,latency',
  before: before.preset,
};
const options = readOptions({
  name: 'npm run bench:versus',
  about:
    'Measures Warren beside other job queues, each with its own servers. Results are kept where no option is given.',
  defaults,
  meanings: {
    rounds: 'rounds of enqueueing',
    'work-rounds': 'rounds of working',
    seconds: 'length of a run',
    contender: 'these contenders alone, separated by commas',
    part: 'which of enqueue, trivial, io and latency, separated by commas',
    before: before.meaning,
  },
});
const isWhole = areDefaults(options, defaults);

await runOnStage('versus', async (stage, log) => {
  const older = await warrenBefore(options.before, log);
  await using servers = await VersusServers.start(stage, log);
  const names = [...new Set([...enqueueing, ...working])].filter(
    (name) => older !== undefined || name !== 'warren-before',
  );
  const contenders = await Promise.all(names.map((name) => findContender(name, older)));
  const withFleets = fleetsOf(servers, contenders);
  const seconds = Number(options.seconds);
  const parts = options.part.split(',');
  const enqueue = parts.includes('enqueue')
    ? await withFleets(enqueueing, { scenario: 'enqueue', notes: 'tally' }, async (fleets) =>
        measureEnqueue(fleets, { rounds: Number(options.rounds), seconds, connections: CONNECTIONS }, log),
      )
    : new Map();
  const work = async (part: string, ms: number) =>
    parts.includes(part)
      ? await withFleets(working, { scenario: 'work', notes: 'tally' }, async (fleets) => {
          const rounds = Number(options['work-rounds']);
          return await measureWork(fleets, { rounds, seconds, concurrency: CONCURRENCY, ms }, log);
        })
      : new Map();
  const trivial = await work('trivial', 0);
  const io = await work('io', IO_MS);
  const latency = parts.includes('latency')
    ? await withFleets(hurrying, { scenario: 'latency', notes: 'runs' }, async (fleets) =>
        measureLatency(fleets, LATENCY, log),
      )
    : new Map();
  const facts = await collectFacts({
    servers: stage.services,
    versions: await readVersions(servers),
    durability: Object.fromEntries(contenders.map(({ title, durability }) => [title, durability])),
  });
  const report = describeSpeed({ before: options.before, contenders, enqueue, trivial, io, latency, facts });
  process.stdout.write(isWhole ? writeReport(report) : renderReport(report));
});
process.exit();

/** A fleet of each of these contenders, as long as it is measured. */
function fleetsOf(servers: VersusServers, contenders: readonly Contender[]) {
  return async <T>(
    names: readonly ContenderName[],
    { scenario, notes }: Pick<FleetOptions, 'scenario' | 'notes'>,
    measure: (fleets: readonly ContenderFleet[]) => Promise<T>,
  ): Promise<T> => {
    const wanted = options.contender === '' ? undefined : options.contender.split(',');
    const fleets: ContenderFleet[] = [];
    try {
      for (const name of names.filter((each) => wanted === undefined || wanted.includes(each))) {
        const contender = contenders.find((each) => each.name === name);
        if (contender === undefined) continue;
        const places = await servers.placesOf(contender);
        const fleet = new ContenderFleet({ stage: servers.stage, contender, places, scenario, notes });
        fleets.push(fleet);
        if (scenario !== 'work') await fleet.startApi();
      }
      return await measure(fleets);
    } finally {
      await Promise.all(fleets.map((fleet) => fleet.close()));
    }
  };
}
