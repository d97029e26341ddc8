// Whether a full table is slower than an empty one: the same jobs burnt down in two places in turn, one empty, one that is filled further and further.
import type { Report } from '../../report/report.ts';
import { median, medianRatio } from '../../report/statistics.ts';
import type { Place } from '../../stage/stage.ts';
import { Backlog } from '../backlog.ts';
import type { PartOptions } from '../part.ts';
import { scaled } from '../part.ts';
import { startWorkers } from '../programs.ts';

const JOBS = 50_000;
/** Where the waiting rows lie, with their messages: a queue that the worker does not consume. */
const WAITING_QUEUE = 'reports';

interface Rows {
  waiting: number;
  finished: number;
}

interface Filling extends Rows {
  title: string;
  /** Runs in both places. */
  pairs: number;
}

const fillings: readonly Filling[] = [
  { title: '10 k waiting', waiting: 10_000, finished: 0, pairs: 2 },
  { title: '100 k waiting', waiting: 100_000, finished: 0, pairs: 2 },
  { title: '1 M waiting', waiting: 1_000_000, finished: 0, pairs: 2 },
  { title: '1 M waiting, 5 M finished', waiting: 1_000_000, finished: 5_000_000, pairs: 4 },
];

interface Pair {
  emptyPerSecond: number;
  fullPerSecond: number;
}

export async function measureTableSize(options: PartOptions): Promise<Report> {
  const emptyPlace = await options.stage.createPlace('bench_empty');
  const fullPlace = await options.stage.createPlace('bench_full');
  await using empty = await Backlog.open(emptyPlace);
  await using full = await Backlog.open(fullPlace);
  const results = new Map<Filling, Pair[]>();
  let there: Rows = { waiting: 0, finished: 0 };
  for (const filling of fillings) {
    await fill(options, full, there, filling);
    there = filling;
    const pairs: Pair[] = [];
    for (let pair = 1; pair <= filling.pairs; pair += 1) {
      const emptyPerSecond = await burnDown(options, emptyPlace, empty);
      const fullPerSecond = await burnDown(options, fullPlace, full);
      pairs.push({ emptyPerSecond, fullPerSecond });
      options.log(
        `table size, ${filling.title}: ${Math.round(fullPerSecond)} jobs/s, empty ${Math.round(emptyPerSecond)}`,
      );
    }
    results.set(filling, pairs);
  }
  return compose(options, results);
}

async function fill(
  options: PartOptions,
  full: Backlog,
  there: Rows,
  { waiting, finished }: Rows,
): Promise<void> {
  const jobs = scaled(waiting - there.waiting, options, 0);
  if (jobs > 0) await full.add({ jobs, type: 'bench-trivial', queue: WAITING_QUEUE });
  const more = scaled(finished - there.finished, options, 0);
  if (more > 0) await full.addFinished(more);
  options.log(`table size: ${jobs} rows more wait, ${more} more are finished`);
}

/** Leaves the place as it was, but for dead rows: they are vacuumed before the next. */
async function burnDown(options: PartOptions, place: Place, backlog: Backlog): Promise<number> {
  const batch = await backlog.add({ jobs: scaled(JOBS, options, 1_000), type: 'bench-trivial' });
  await backlog.settle();
  const workers = await startWorkers(options.stage, { place, queues: 'default:5:20' });
  const { perSecond } = await backlog.done(batch);
  await options.stage.stop(workers);
  await backlog.sql`delete from warren.jobs where id >= ${batch.firstId} and id < ${batch.firstId + batch.jobs}`;
  return perSecond;
}

function compose(options: PartOptions, results: ReadonlyMap<Filling, readonly Pair[]>): Report {
  const ratio = (pairs: readonly Pair[]) =>
    medianRatio(
      pairs.map(({ fullPerSecond }) => fullPerSecond),
      pairs.map(({ emptyPerSecond }) => emptyPerSecond),
    );
  const fullest = [...results.values()].at(-1) ?? [];
  return {
    name: 'work-table-size',
    title: 'Trivial jobs in a full table',
    command: 'npm run bench:work -- --part table-size',
    facts: options.facts,
    notes: [
      `${scaled(JOBS, options, 1_000)} trivial jobs, one worker, in a table and a vhost that hold nothing else, and in one with other rows (and the messages of those that ` +
        `wait, in a queue of their own), in turn: medians, and ratios within pairs. Vacuumed and checkpointed before each.`,
    ],
    bars: [
      {
        what: 'throughput with 1 M waiting and 5 M finished rows against an empty table',
        demand: 'at least',
        limit: 0.95,
        measured: ratio(fullest),
      },
    ],
    sections: [
      {
        title: 'Jobs per second',
        table: {
          columns: [
            { title: '' },
            { title: 'jobs/s' },
            { title: 'empty table' },
            { title: 'of empty', digits: 2 },
          ],
          rows: [...results].map(([{ title }, pairs]) => [
            title,
            median(pairs.map(({ fullPerSecond }) => fullPerSecond)),
            median(pairs.map(({ emptyPerSecond }) => emptyPerSecond)),
            ratio(pairs),
          ]),
        },
      },
    ],
    data: [...results].map(([filling, pairs]) => ({ filling, pairs })),
  };
}
