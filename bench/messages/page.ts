// The results as a report: medians over the rounds, ratios within them, and what 100 000 messages per second take by them. Pure.
import type { Facts } from '../report/facts.ts';
import { formatFigure } from '../report/figure.ts';
import type { Report, Section } from '../report/report.ts';
import { median, medianRatio } from '../report/statistics.ts';
import type { Cost } from './capacity.ts';
import { fleetFor, publishedPerSecond } from './capacity.ts';

export interface Run {
  name: 'bare' | 'messages';
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** Of a request, by program. */
  processorUs: Readonly<Record<string, number>>;
  walBytes: number;
  /** The share of the processors that programs of others have taken meanwhile. */
  othersShare: number;
}

/** What the document of the message service names. */
const PER_SECOND = 100_000;
/** Of the autoscaler: examples/messages/k8s/publisher-autoscaler.yaml. */
const MOST_PUBLISHERS = 20;
const UTILIZATION = 0.8;
/** What a publisher asks for: k8s/base/api/deployment.yaml. */
const REQUESTED_CPUS = 0.25;

export interface Measured {
  facts: Facts;
  runs: readonly Run[];
  storedBytes: { message: number; job: number };
  rounds: number;
  requests: number;
  connections: number;
}

export function composeReport({ facts, runs, storedBytes, rounds, requests, connections }: Measured): Report {
  const others = runs.map(({ othersShare }) => othersShare * 100);
  return {
    name: 'messages',
    title: 'The message service: what a message costs, and what 100 000 per second take',
    command: 'npm run bench:messages',
    facts,
    notes: [
      `${rounds} rounds, each with ${requests} requests to the publisher of examples/messages and as many to a bare Hono route that reads the same message and ` +
        `answers the same; keep-alive, ${connections} connections. One publisher, one consumer, RabbitMQ, Postgres and the load generator share the processors. ` +
        'Medians over the rounds, ratios within them.',
      `Processes of others took ${formatFigure(median(others), 1)} % of the processors (median; at most ${formatFigure(Math.max(...others), 1)} %): the rates and the ` +
        'milliseconds are worse than on a machine at rest. The processor time of a message depends less on that, and everything below is reckoned from it.',
      'The processor time is counted until each message is stored and its job recorded as completed.',
    ],
    bars: [],
    sections: [compare(runs), reckon(costOf(runs, storedBytes), storedBytes)],
    data: { runs, storedBytes },
  };
}

const of = (runs: readonly Run[], name: Run['name']) => runs.filter((run) => run.name === name);
const us = (runs: readonly Run[], program: string) =>
  median(runs.map((run) => run.processorUs[program] ?? 0));

export function costOf(runs: readonly Run[], storedBytes: Measured['storedBytes']): Cost {
  const messages = of(runs, 'messages');
  return {
    publisherUs: us(messages, 'publisher'),
    consumerUs: us(messages, 'consumer'),
    rabbitmqUs: us(messages, 'RabbitMQ'),
    postgresUs: us(messages, 'Postgres'),
    walBytes: median(messages.map(({ walBytes }) => walBytes)),
    storedBytes: storedBytes.message + storedBytes.job,
  };
}

function compare(runs: readonly Run[]): Section {
  const rates = (name: Run['name']) => of(runs, name).map(({ perSecond }) => perSecond);
  const row = (title: string, name: Run['name']) => {
    const own = of(runs, name);
    return [
      title,
      median(rates(name)),
      medianRatio(rates(name), rates('bare')),
      median(own.map(({ p50Ms }) => p50Ms)),
      median(own.map(({ p99Ms }) => p99Ms)),
      us(own, 'publisher'),
      ...['consumer', 'RabbitMQ', 'Postgres'].map((program) => (name === 'bare' ? null : us(own, program))),
    ];
  };
  return {
    title: 'One publisher and one consumer',
    note: 'µs: processor time per message, of each program.',
    table: {
      columns: [
        { title: '' },
        { title: 'requests/s' },
        { title: 'of bare', digits: 2 },
        { title: 'p50 ms', digits: 1 },
        { title: 'p99 ms', digits: 1 },
        { title: 'publisher µs' },
        { title: 'consumer µs' },
        { title: 'RabbitMQ µs' },
        { title: 'Postgres µs' },
      ],
      rows: [row('bare Hono route', 'bare'), row('message service', 'messages')],
    },
  };
}

function reckon(cost: Cost, { message, job }: Measured['storedBytes']): Section {
  const fleet = fleetFor(cost, { perSecond: PER_SECOND, utilization: UTILIZATION });
  const percent = UTILIZATION * 100;
  const atMost = (cpusEach: number) =>
    publishedPerSecond(cost, { publishers: MOST_PUBLISHERS, cpusEach: cpusEach * UTILIZATION });
  return {
    title: `${formatFigure(PER_SECOND)} messages per second`,
    note: 'Reckoned from the processor time of a message, as if it stayed the same on more processors. Nothing here was run at that rate.',
    table: {
      columns: [{ title: '' }, { title: 'figure', digits: 1 }, { title: 'how' }],
      rows: [
        ['processors of the publishers', fleet.publisherCpus, `${formatFigure(cost.publisherUs)} µs each`],
        [`publishers of one processor, ${percent} % of it used`, fleet.publishers, 'rounded up'],
        ['processors of the consumers', fleet.consumerCpus, `${formatFigure(cost.consumerUs)} µs each`],
        [`consumers of one processor, ${percent} % of it used`, fleet.consumers, 'rounded up'],
        ['processors of Postgres', fleet.postgresCpus, `${formatFigure(cost.postgresUs)} µs each`],
        ["Postgres' log, MB per second", fleet.walMbPerSecond, `${formatFigure(cost.walBytes)} bytes each`],
        [
          'kept per day, GB, were nothing deleted',
          fleet.storedGbPerDay,
          `${formatFigure(message)} bytes of message and ${formatFigure(job)} of job, with indexes`,
        ],
        ['processors of RabbitMQ', fleet.rabbitmqCpus, `${formatFigure(cost.rabbitmqUs)} µs each`],
        [
          `${MOST_PUBLISHERS} publishers that ask for ${REQUESTED_CPUS} of a processor: messages per second`,
          atMost(REQUESTED_CPUS),
          `at ${percent} % of what they ask for`,
        ],
        [
          `${MOST_PUBLISHERS} publishers that ask for a whole processor: messages per second`,
          atMost(1),
          `at ${percent} % of what they ask for`,
        ],
      ],
    },
  };
}
