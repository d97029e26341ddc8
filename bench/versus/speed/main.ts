// `npm run bench:versus`: how fast jobs are taken in and how fast they get done, Warren beside what a user would pick instead.
// Writes bench/results/versus.{json,md,svg} and prints the page. `--contender`, `--rounds`, `--seconds` and `--part enqueue|work|latency` make a smaller run
// that keeps nothing.

import { collectFacts } from '../../report/facts.ts';
import { renderReport } from '../../report/markdown.ts';
import { writeReport } from '../../report/results.ts';
import { areDefaults, readOptions } from '../../stage/command-line.ts';
import type { ContenderName } from '../contenders.ts';
import { findContender } from '../contenders.ts';
import { startVersusServers } from '../servers/servers.ts';
import { readVersions } from '../servers/versions.ts';
import type { StageOptions } from '../stage.ts';
import { Stage } from '../stage.ts';
import { measureEnqueue } from './enqueue.ts';
import { measureLatency } from './latency.ts';
import { describeSpeed } from './page.ts';
import { measureWork } from './work.ts';

/** Batching changes nothing in how graphile-worker and pg-boss take jobs in, nor does Warren's or BullMQ's worker. */
const enqueueing: readonly ContenderName[] = [
  'warren',
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
const hurrying: readonly ContenderName[] = working.filter((name) => name !== 'warren-ahead');
const LATENCY = { rounds: 2, seconds: 5, perSecond: 1_000, concurrency: CONCURRENCY };

const startedAt = performance.now();
const log = (line: string) =>
  process.stderr.write(
    `${String(Math.round((performance.now() - startedAt) / 1_000)).padStart(4)} s  ${line}\n`,
  );
const defaults = {
  rounds: '5',
  'work-rounds': '3',
  seconds: '3.5',
  contender: '',
  part: 'enqueue,work,latency',
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
    contender: 'this contender alone',
    part: 'which of enqueue, work and latency, separated by commas',
  },
});
const isWhole = areDefaults(options, defaults);

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
const servers = await startVersusServers(log);
try {
  const seconds = Number(options.seconds);
  const enqueue = options.part.includes('enqueue')
    ? await withStages(enqueueing, { scenario: 'enqueue', notes: 'tally' }, async (stages) =>
        measureEnqueue(stages, { rounds: Number(options.rounds), seconds, connections: CONNECTIONS }, log),
      )
    : new Map();
  const work = async (ms: number) =>
    options.part.includes('work')
      ? await withStages(working, { scenario: 'work', notes: 'tally' }, async (stages) => {
          const rounds = Number(options['work-rounds']);
          return await measureWork(stages, { rounds, seconds, concurrency: CONCURRENCY, ms }, log);
        })
      : new Map();
  const trivial = await work(0);
  const io = await work(IO_MS);
  const latency = options.part.includes('latency')
    ? await withStages(hurrying, { scenario: 'latency', notes: 'runs' }, async (stages) =>
        measureLatency(stages, LATENCY, log),
      )
    : new Map();
  const contenders = await Promise.all([...new Set([...enqueueing, ...working])].map(findContender));
  const facts = await collectFacts({
    servers: servers.services,
    versions: await readVersions(servers),
    durability: Object.fromEntries(contenders.map(({ title, durability }) => [title, durability])),
  });
  const report = describeSpeed({ contenders, enqueue, trivial, io, latency, facts });
  process.stdout.write(isWhole ? writeReport(report) : renderReport(report));
} finally {
  await servers.stop();
}
process.exit(0);

async function withStages<T>(
  names: readonly ContenderName[],
  { scenario, notes }: Pick<StageOptions, 'scenario' | 'notes'>,
  measure: (stages: readonly Stage[]) => Promise<T>,
): Promise<T> {
  const wanted = options.contender === '' ? undefined : options.contender.split(',');
  const stages: Stage[] = [];
  try {
    for (const name of names.filter((each) => wanted === undefined || wanted.includes(each))) {
      const contender = await findContender(name);
      const places = await servers.placesOf(contender);
      const stage = new Stage({ contender, places, scenario, notes });
      stages.push(stage);
      if (scenario !== 'work') await stage.startApi();
    }
    return await measure(stages);
  } finally {
    await Promise.all(stages.map((stage) => stage.close()));
  }
}
