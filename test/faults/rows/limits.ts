// Rows 19 and 20: the broker has limits of its own, on how often it delivers a message and on how long a consumer may keep it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import amqplib from 'amqplib';
import { monotonicMs } from '../../../bench/stage/monotonic.ts';
import { eventually } from '../../support/eventually.ts';
import { CURE } from '../preload/job-types.ts';
import type { Row, Scene } from '../stage/scene.ts';
import { checkConsumersBack } from './broker.ts';
import { supervise } from './handlers.ts';

/** The message may come back once; the job's own limit is three crashes. */
const DELIVERY_LIMIT = 1;
const MAX_STRANDED_MS = 10_000;
const CRASHES = 3;

const deliveryLimit: Row = {
  number: 19,
  title: "RabbitMQ's delivery limit is lower than the job's own",
  allowsExtraRuns: true,
  maxAmplification: 1.5,
  play: async (scene) => {
    const { load, stage, servers } = scene;
    const vhost = new URL(stage.amqpUrl).pathname.slice(1);
    const policy = JSON.stringify({ 'delivery-limit': DELIVERY_LIMIT });
    await servers.rabbitmqctl(
      'set_policy',
      ...['--vhost', vhost, '--apply-to', 'queues', 'limit', '^warren\\.(?!dead)', policy],
    );
    const stopping = new AbortController();
    const supervised = stage.workers.map((worker) => supervise(worker, stopping.signal));
    const id = (await load.submit({ type: 'fault-curable', queue: 'default' })) ?? '';
    await eventually(
      async () => await countDead(scene),
      (count) => count > 0,
      { timeoutMs: 60_000, everyMs: 50 },
    );
    const deadAt = monotonicMs();
    scene.prove('dead letters that the broker has made', await countDead(scene), true);
    const published = await Promise.all(
      stage.apis.map((api) => api.metric('warren_publishes_confirmed_total')),
    );
    scene.figure(
      'messagesPublishedByThen',
      published.reduce((sum, count) => sum + count, 0),
    );
    await untilState(scene, id, 'discarded');
    scene.atMost('from the dead letter to the end of its job, ms', MAX_STRANDED_MS, monotonicMs() - deadAt);
    stopping.abort();
    const restarts = await Promise.all(supervised);
    scene.exactly(
      'workers that it took down before it came into quarantine',
      CRASHES - 1,
      restarts.reduce((sum, count) => sum + count, 0),
    );
    await stage.ready();
    await redrive(scene, id);
    await load.burst(scene.size(300), { ms: 20 });
    // RabbitMQ 3.10 was seen to put the one message there twice. What counts is that they are all of this job, and stay there.
    scene.expectedDead = await countDead(scene);
    scene.figure('deadLetters', scene.expectedDead);
    scene.healed();
  },
  judge: async (scene, { runs }) => {
    const jobs = await scene.stage.sql(
      async (sql) => await sql`select id, state, errors from warren.jobs where type = 'fault-curable'`,
    );
    const errors = (jobs[0]?.['errors'] ?? []) as { message: string }[];
    const crashed = errors.filter(({ message }) => message.startsWith('worker_crashed')).length;
    scene.exactly('crashes in the history of the job, with their reason', CRASHES, crashed);
    scene.exactly('the job after it was run again', 'completed', String(jobs[0]?.['state']));
    const key = runs.find(({ endedAt }) => endedAt === undefined)?.key;
    scene.exactly(
      'starts of the job: its crashes and one more',
      CRASHES + 1,
      runs.filter((run) => run.key === key).length,
    );
    const letters = await readDeadLetters(scene);
    scene.exactly(
      'dead letters, each once',
      `${jobs[0]?.['id']}: delivery_limit`,
      [...new Set(letters)].join(', '),
    );
  },
};

async function countDead({ stage }: Scene): Promise<number> {
  return (await stage.management.queue('warren.dead'))?.messages ?? 0;
}

async function untilState({ stage }: Scene, id: string, state: string): Promise<void> {
  await eventually(
    async () =>
      await stage.sql(async (sql) => {
        const [row] = await sql`select state from warren.jobs where id = ${id}`;
        return String(row?.['state']);
      }),
    (found) => found === state,
    { timeoutMs: 60_000, everyMs: 50 },
  );
}

/** As a person does who has found the cause. */
async function redrive({ stage }: Scene, id: string): Promise<void> {
  writeFileSync(join(stage.bookFolder, CURE), '');
  const response = await fetch(`${stage.apis[0]?.url}/v1/jobs/${id}/retry`, {
    method: 'POST',
    signal: AbortSignal.timeout(10_000),
  });
  if (response.status !== 200) throw new Error(`the retry was answered with ${response.status}`);
}

/** What stands in `warren.dead`: which job, and why the broker put it there. */
async function readDeadLetters({ stage }: Scene): Promise<string[]> {
  const connection = await amqplib.connect(stage.amqpUrl);
  try {
    const channel = await connection.createChannel();
    const letters: string[] = [];
    for (;;) {
      const message = await channel.get('warren.dead', { noAck: true });
      if (message === false) return letters;
      const reason = String(message.properties.headers?.['x-first-death-reason']);
      letters.push(`${message.content.toString()}: ${reason}`);
    }
  } finally {
    await connection.close();
  }
}

const CONSUMER_TIMEOUT_MS = 60_000;
const DEFAULT_CONSUMER_TIMEOUT_MS = 1_800_000;
const LONG_JOB_MS = 150_000;

const consumerTimeout: Row = {
  number: 20,
  title: "A job of 150 s outlasts RabbitMQ's consumer timeout of 60 s",
  maxAmplification: 1.2,
  play: async (scene) => {
    await setConsumerTimeout(scene, CONSUMER_TIMEOUT_MS);
    try {
      await playConsumerTimeout(scene);
    } finally {
      await setConsumerTimeout(scene, DEFAULT_CONSUMER_TIMEOUT_MS);
    }
  },
  judge: async (scene, { runs }) => {
    const long = runs.filter(
      ({ startedAt, endedAt }) => (endedAt ?? startedAt) - startedAt > LONG_JOB_MS / 2,
    );
    scene.exactly('runs of the long job', 1, long.length);
    const values = await Promise.all(
      scene.stage.workers.flatMap((worker) =>
        ['runs-here', 'runs-elsewhere'].map((reason) =>
          worker.metric('warren_deliveries_suppressed_total', `reason="${reason}"`),
        ),
      ),
    );
    const suppressed = values.reduce((sum, value) => sum + value, 0);
    scene.check('redeliveries that found the living owner', '>= 1', suppressed, suppressed >= 1);
  },
};

/** Channels read it when they open. */
async function setConsumerTimeout({ stage, servers }: Scene, ms: number): Promise<void> {
  await servers.rabbitmqctl('eval', `application:set_env(rabbit, consumer_timeout, ${ms}).`);
  const vhost = new URL(stage.amqpUrl).pathname.slice(1);
  await servers.rabbitmqctl('close_all_connections', '--vhost', vhost, 'fault');
}

async function playConsumerTimeout(scene: Scene): Promise<void> {
  const { stage, load } = scene;
  await stage.ready();
  await checkConsumersBack(scene, 'with the timeout');
  const closedBefore = countClosedChannels(scene);
  await load.submit({ type: 'fault-stubborn', ms: LONG_JOB_MS, queue: 'default' });
  const startedAt = monotonicMs();
  await load.steady({ perSecond: scene.size(10), seconds: LONG_JOB_MS / 1_000, ms: 50 });
  const closed = countClosedChannels(scene) - closedBefore;
  scene.prove('channels that the broker closed while the long job ran', closed, closed > 0);
  await delay(Math.max(0, LONG_JOB_MS - (monotonicMs() - startedAt)));
  await stage.drain();
  scene.healed();
}

function countClosedChannels({ stage }: Scene): number {
  const lines = stage.workers.flatMap(({ life }) => life.program.logs);
  return lines.filter(({ msg }) => msg === 'consumers lost, registering again').length;
}

export const limitRows: readonly Row[] = [deliveryLimit, consumerTimeout];
