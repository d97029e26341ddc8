// How long a job waits between the answer 202 and the first line of its handler, at steady rates far below the limit.
// An open load: requests are sent when their time has come, however slow the answers are.
import type { QueueType } from '../../../src/shared/rabbitmq/topology.ts';
import type { Report } from '../../report/report.ts';
import { median, percentile } from '../../report/statistics.ts';
import { Backlog } from '../backlog.ts';
import type { PartOptions } from '../part.ts';
import { scaled } from '../part.ts';
import { startApi, startWorkers } from '../programs.ts';
import type { Sent } from '../steady-load.ts';
import { sendSteadily } from '../steady-load.ts';

const RATES = [10, 100, 1_000];
const ROUNDS = 3;
const SECONDS = 8;
const WARM_UP = { perSecond: 500, seconds: 4 };
/** The setting's default, and what it offers instead. */
const QUEUE_TYPES: readonly QueueType[] = ['quorum', 'classic'];
const body = () => ({ type: 'bench-stamp', args: {} });

interface Latencies {
  queueType: QueueType;
  perSecond: number;
  jobs: number;
  /** From the answer to the start; below 0 where the job started before the answer had come. */
  fromAnswerMs: { p50: number; p99: number; max: number };
  /** From the request to the start. */
  fromRequestMs: { p50: number; p99: number; max: number };
}

export async function measureLatency(options: PartOptions): Promise<Report> {
  const measured: Latencies[] = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    for (const queueType of QUEUE_TYPES) measured.push(...(await playRound(options, queueType)));
  }
  return compose(options, measured);
}

/** All rates, one after the other. */
async function playRound(options: PartOptions, queueType: QueueType): Promise<Latencies[]> {
  const { stage, log } = options;
  const settings = { RABBITMQ_QUEUE_TYPE: queueType };
  const place = await stage.createPlace('bench_latency');
  const api = await startApi(stage, place, undefined, settings);
  const workers = await startWorkers(stage, { place, settings });
  await using backlog = await Backlog.open(place, queueType);
  const measured: Latencies[] = [];
  await sendSteadily({ ...WARM_UP, url: api.url, body });
  for (const perSecond of RATES) {
    await backlog.ended('default');
    await backlog.clear();
    const sent = await sendSteadily({ url: api.url, perSecond, seconds: scaled(SECONDS, options), body });
    const latencies = { queueType, perSecond, ...(await compare(backlog, sent)) };
    measured.push(latencies);
    const { p50, p99 } = latencies.fromAnswerMs;
    log(`latency, ${queueType}, ${perSecond} jobs/s: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`);
  }
  await stage.stop([api, ...workers]);
  return measured;
}

/** Waits for the jobs, whose outputs are the times of their starts on the clock that the requests were timed with. */
async function compare(
  backlog: Backlog,
  sent: readonly Sent[],
): Promise<Omit<Latencies, 'queueType' | 'perSecond'>> {
  const ids = sent.map(({ jobId }) => Number(jobId));
  const firstId = ids.reduce((least, id) => Math.min(least, id), Number.POSITIVE_INFINITY);
  const lastId = ids.reduce((most, id) => Math.max(most, id), 0);
  await backlog.ended('default');
  const rows = await backlog.sql<{ id: string; at: number }[]>`
    select id, (output->>'startedAt')::float8 as at from warren.jobs where id between ${firstId} and ${lastId} and state = 'completed'`;
  const startedAt = new Map(rows.map(({ id, at }) => [id, at]));
  const waits = sent.map(({ jobId, sentAt, answeredAt }) => {
    const at = startedAt.get(jobId);
    if (at === undefined) throw new Error(`job ${jobId} was answered with 202 and is not completed`);
    return { fromAnswer: at - answeredAt, fromRequest: at - sentAt };
  });
  return {
    jobs: sent.length,
    fromAnswerMs: summarise(waits.map(({ fromAnswer }) => fromAnswer)),
    fromRequestMs: summarise(waits.map(({ fromRequest }) => fromRequest)),
  };
}

function summarise(values: readonly number[]): { p50: number; p99: number; max: number } {
  return { p50: percentile(values, 50), p99: percentile(values, 99), max: percentile(values, 100) };
}

function compose(options: PartOptions, measured: readonly Latencies[]): Report {
  const at = (queueType: QueueType, perSecond: number, pick: (latencies: Latencies) => number) =>
    median(measured.filter((each) => each.queueType === queueType && each.perSecond === perSecond).map(pick));
  const bar = (queueType: QueueType, percent: 'p50' | 'p99', limit: number) => ({
    what: `202 to the handler's start at 1 000 jobs per second, ${queueType} queue, ${percent}`,
    demand: 'at most' as const,
    limit,
    measured: at(queueType, 1_000, ({ fromAnswerMs }) => fromAnswerMs[percent]),
    unit: 'ms',
    digits: 1,
  });
  return {
    name: 'work-latency',
    title: "From 202 to the handler's start",
    command: 'npm run bench:work -- --part latency',
    facts: options.facts,
    notes: [
      `\`POST /v1/jobs\` at a steady rate for ${scaled(SECONDS, options)} s, one API, one worker, with default settings and with RABBITMQ_QUEUE_TYPE=classic; medians of ${ROUNDS} rounds. Both ends are read on ` +
        'the clock that all processes of the machine share. Below 0: the handler had started before the client had the answer.',
    ],
    bars: QUEUE_TYPES.flatMap((queueType) => [bar(queueType, 'p50', 1.5), bar(queueType, 'p99', 8)]),
    sections: [
      {
        title: 'Milliseconds',
        table: {
          columns: [
            { title: 'queue' },
            { title: 'jobs/s' },
            { title: '202 → start p50', digits: 1 },
            { title: 'p99', digits: 1 },
            { title: 'max', digits: 1 },
            { title: 'request → start p50', digits: 1 },
            { title: 'p99', digits: 1 },
          ],
          rows: QUEUE_TYPES.flatMap((queueType) =>
            RATES.map((perSecond) => [
              queueType,
              String(perSecond),
              at(queueType, perSecond, ({ fromAnswerMs }) => fromAnswerMs.p50),
              at(queueType, perSecond, ({ fromAnswerMs }) => fromAnswerMs.p99),
              at(queueType, perSecond, ({ fromAnswerMs }) => fromAnswerMs.max),
              at(queueType, perSecond, ({ fromRequestMs }) => fromRequestMs.p50),
              at(queueType, perSecond, ({ fromRequestMs }) => fromRequestMs.p99),
            ]),
          ),
        },
      },
    ],
    data: measured,
  };
}
