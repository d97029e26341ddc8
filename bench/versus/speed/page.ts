// The speed comparison as a report: bars, a table for taking jobs in, a table for getting them done, a plot each. Pure.
import type { Facts } from '../../report/facts.ts';
import type { Bar, Report, Section } from '../../report/report.ts';
import { median, medianRatio } from '../../report/statistics.ts';
import type { Contender } from '../contender.ts';
import type { EnqueueRun } from './enqueue.ts';
import type { LatencyRun } from './latency.ts';
import type { WorkRun } from './work.ts';

export interface Speed {
  /** The commit of Warren before. */
  before: string;
  contenders: readonly Contender[];
  enqueue: ReadonlyMap<string, readonly EnqueueRun[]>;
  trivial: ReadonlyMap<string, readonly WorkRun[]>;
  io: ReadonlyMap<string, readonly WorkRun[]>;
  latency: ReadonlyMap<string, readonly LatencyRun[]>;
  facts: Facts;
}

type Runs<Run> = ReadonlyMap<string, readonly Run[]>;

export function describeSpeed(speed: Speed): Report {
  const { before, facts, enqueue, trivial, io, latency } = speed;
  return {
    name: 'versus',
    title: 'Speed, side by side',
    command: 'npm run bench:versus',
    facts,
    notes: [
      'The systems take turns within one run, in another order each round; figures are medians over the rounds, ratios are medians of the rounds’ own ratios. Everything runs on the same machine at once: the load generator, the API or worker, and the servers.',
      `Warren before is commit ${before}. The floor is a program that does the necessary input and output and nothing else (bench/floor/): its distance to Warren is what could still be saved.`,
      'Ratios are Warren’s rate divided by the other one’s; for processor time Warren’s cost divided by the other one’s.',
    ],
    bars: [...bars(speed), ...ioBars(speed), ...latencyBars(speed)],
    sections: [
      enqueueSection(speed),
      workSection(speed, trivial, {
        name: 'trivial',
        title: 'Trivial jobs, one worker of 100 slots',
        note: 'The handler returns at once. Jobs wait already when the worker starts; from the moment when a fifth is done until the system itself holds no job any more. pg-boss with its defaults is left out: a slot takes one job every two seconds. graphile-worker batched and pg-boss’ fastest mode fetch 500 jobs at a time; “Warren, prefetch 100” has as many on their way, and is what the bars on them compare.',
      }),
      workSection(speed, io, {
        name: 'io',
        title: 'Jobs of 10 ms I/O, one worker of 100 slots',
        note: 'The handler waits for 10 ms: 100 slots cannot do more than 10 000 a second. What Warren has prefetched are slots: with prefetch 100 it has 500, which is not comparable and stands there for itself, as does the floor with 500.',
      }),
      latencySection(speed),
    ],
    data: {
      enqueue: Object.fromEntries(enqueue),
      trivial: Object.fromEntries(trivial),
      io: Object.fromEntries(io),
      latency: Object.fromEntries(latency),
    },
  };
}

function enqueueSection({ contenders, enqueue }: Speed): Section {
  const taking = contenders.filter(({ name }) => (enqueue.get(name)?.length ?? 0) > 0);
  const rate = (name: string) => median(pick(enqueue, name, 'perSecond'));
  return {
    title: '`/api/test/:id`, 100 connections, keep-alive',
    note: 'The same HTTP server, route and answer for all: look the order up, enqueue with the system’s own call, answer when that has resolved. The lookup is one statement per request from a pool of ten connections, as one writes it; Warren groups the lookups of one turn of the event loop, and so does the line “grouped lookup”, which has BullMQ profit from that too. For Warren the clock stops when the broker has confirmed all messages.',
    table: {
      columns: [
        { title: 'system' },
        { title: 'requests/s' },
        { title: 'ratio', digits: 2 },
        { title: 'failed' },
        { title: 'p50 ms', digits: 1 },
        { title: 'p99 ms', digits: 1 },
        { title: 'API CPU, µs/request', digits: 1 },
        { title: 'CPU ratio', digits: 2 },
        { title: 'API, RabbitMQ and Postgres CPU, µs/request', digits: 1 },
        { title: 'ratio', digits: 2 },
        { title: 'durability' },
      ],
      rows: taking.map(({ name, title, durability }) => [
        title,
        rate(name),
        ratio(enqueue, name, 'perSecond'),
        pick(enqueue, name, 'failed').reduce((sum, failed) => sum + failed, 0),
        median(pick(enqueue, name, 'p50Ms')),
        median(pick(enqueue, name, 'p99Ms')),
        median(pick(enqueue, name, 'cpuUs')),
        ratio(enqueue, name, 'cpuUs'),
        ...systemCells(enqueue, name),
        durability,
      ]),
    },
    ...(taking.length === 0
      ? {}
      : {
          plot: {
            kind: 'bars',
            name: 'enqueue',
            title: '/api/test/:id',
            unit: 'requests per second',
            bars: taking.map(({ name, title }) => ({ label: title, value: rate(name) })),
          },
        }),
  };
}

/** Null where it was not measured, because a Redis takes part. */
function systemCells(enqueue: Runs<EnqueueRun>, name: string): [number | null, number | null] {
  const isKnown = (enqueue.get(name) ?? []).every(({ systemUs }) => systemUs !== null);
  return isKnown ? [median(pick(enqueue, name, 'systemUs')), ratio(enqueue, name, 'systemUs')] : [null, null];
}

function workSection(
  { contenders }: Speed,
  runs: Runs<WorkRun>,
  { name: plot, title, note }: { name: string; title: string; note: string },
): Section {
  const taking = contenders.filter(({ name }) => (runs.get(name)?.length ?? 0) > 0);
  const rate = (name: string) => median(pick(runs, name, 'perSecond'));
  return {
    title,
    note,
    table: {
      columns: [
        { title: 'system' },
        { title: 'jobs/s' },
        { title: 'ratio', digits: 2 },
        { title: 'ratio, prefetch 100', digits: 2 },
        { title: 'worker CPU, µs/job', digits: 1 },
        { title: 'jobs per run' },
      ],
      rows: taking.map(({ name, title: system }) => [
        system,
        rate(name),
        ratio(runs, name, 'perSecond'),
        ratio(runs, name, 'perSecond', 'warren-ahead'),
        median(pick(runs, name, 'cpuUs')),
        median(pick(runs, name, 'jobs')),
      ]),
    },
    ...(taking.length === 0
      ? {}
      : {
          plot: {
            kind: 'bars',
            name: plot,
            title,
            unit: 'jobs per second',
            bars: taking.map(({ name, title: label }) => ({ label, value: rate(name) })),
          },
        }),
  };
}

function latencySection({ contenders, latency }: Speed): Section {
  const taking = contenders.filter(({ name }) => (latency.get(name)?.length ?? 0) > 0);
  return {
    title: 'From 202 to the first line of the handler, 1 000 jobs per second',
    note: 'One API and one worker of 100 slots each; Warren with its default prefetch. Below 0: the handler had started before the client had the answer. Who cannot do so many jobs a second has a queue that grows; a dash: refused jobs, or had not started all of them a minute later.',
    table: {
      columns: [{ title: 'system' }, { title: 'p50 ms', digits: 1 }, { title: 'p99 ms', digits: 1 }],
      rows: taking.map(({ name, title }) => [
        title,
        finite(median(pick(latency, name, 'p50Ms'))),
        finite(median(pick(latency, name, 'p99Ms'))),
      ]),
    },
  };
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

function latencyBars({ contenders, latency }: Speed): Bar[] {
  if (!latency.has('warren')) return [];
  const what = "202 to the handler's start at 1 000 jobs per second";
  const limits = { p50Ms: 1.5, p99Ms: 8 } as const;
  return (['p50Ms', 'p99Ms'] as const).flatMap((field) => [
    {
      what: `${what}, ${field.slice(0, 3)}`,
      demand: 'at most' as const,
      limit: limits[field],
      measured: median(pick(latency, 'warren', field)),
      unit: 'ms',
      digits: 1,
    },
    ...['pg-boss-fastest', 'graphile-worker-batched'].flatMap((against) =>
      bar(contenders, latency, field, {
        what: `${what}, ${field.slice(0, 3)}`,
        against,
        demand: 'at most',
        limit: 1,
      }),
    ),
  ]);
}

/** Against everybody else of as many slots. */
function ioBars({ contenders, io }: Speed): Bar[] {
  const others = [...io.keys()].filter((name) => !/^(warren|floor)/.test(name));
  const what = 'jobs of 10 ms per second, 100 slots';
  return others.flatMap((against) =>
    bar(contenders, io, 'perSecond', { what, against, demand: 'at least', limit: 1.1 }),
  );
}

function bars({ contenders, enqueue, trivial }: Speed): Bar[] {
  const request = (against: string, limit: number) =>
    bar(contenders, enqueue, 'perSecond', {
      what: '`/api/test/:id`, requests per second',
      demand: 'at least',
      against,
      limit,
    });
  const job = (own: 'warren' | 'warren-ahead', against: string, limit: number) =>
    bar(contenders, trivial, 'perSecond', {
      what: `trivial jobs per second, ${own === 'warren' ? '100 slots' : 'prefetch 100'}`,
      demand: 'at least',
      own,
      against,
      limit,
    });
  return [
    ...request('bullmq-redis-always', 1.5),
    ...request('bullmq-redis-always-grouped', 1.05),
    ...request('pg-boss', 7),
    ...request('graphile-worker', 12),
    ...request('naive', 4),
    ...bar(contenders, enqueue, 'systemUs', {
      what: 'API, RabbitMQ and Postgres, processor time per request',
      demand: 'at most',
      against: 'warren-before',
      limit: 0.65,
    }),
    ...job('warren', 'bullmq-redis-always', 1.3),
    ...job('warren-ahead', 'bullmq-redis-always', 1.8),
    ...job('warren-ahead', 'graphile-worker-batched', 1.2),
    ...job('warren-ahead', 'pg-boss-fastest', 1.2),
  ];
}

interface Comparison extends Pick<Bar, 'what' | 'demand' | 'limit'> {
  /** Defaults to Warren with its default settings. */
  own?: string;
  against: string;
}

/** None where one of the two did not take part. */
function bar<Run>(
  contenders: readonly Contender[],
  runs: Runs<Run>,
  field: keyof Run,
  { what, own = 'warren', against, ...demand }: Comparison,
): Bar[] {
  const measured = ratio(runs, against, field, own);
  if (measured === null) return [];
  const title = contenders.find(({ name }) => name === against)?.title ?? against;
  return [{ ...demand, what: `${what}, against ${title}`, measured }];
}

/** Warren's against this one's, round by round; null where one of them did not take part. */
function ratio<Run>(runs: Runs<Run>, against: string, field: keyof Run, warren = 'warren'): number | null {
  const own = pick(runs, warren, field);
  const other = pick(runs, against, field);
  return own.length === 0 || own.length !== other.length ? null : medianRatio(own, other);
}

function pick<Run>(runs: Runs<Run>, name: string, field: keyof Run): number[] {
  return (runs.get(name) ?? []).map((run) => Number(run[field]));
}
