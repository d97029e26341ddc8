// Rows 42 and 43: RabbitMQ comes back empty, and RabbitMQ is away for a minute.
import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../../../bench/stage/monotonic.ts';
import { MAX_IDS_WRITTEN } from '../../../src/shared/rabbitmq/message.ts';
import { eventually } from '../../support/eventually.ts';
import { readyMessages } from '../stage/broker-queue.ts';
import type { Row, Scene } from '../stage/scene.ts';
import { submitBatch } from './backlog.ts';
import { checkAnswersInTime, checkConsumersBack } from './broker.ts';

const WAITING = 5_000;
const MAX_STARTS_PER_JOB = 1.01;

const wiped: Row = {
  number: 42,
  title: 'RabbitMQ is wiped while five thousand jobs wait',
  allowsExtraRuns: true,
  play: async (scene) => {
    const { stage, servers } = scene;
    const jobs = scene.size(WAITING);
    await Promise.all(stage.workers.map((worker) => worker.end('SIGTERM')));
    await submitBatch(scene, 0, jobs);
    await eventually(
      async () => await stage.countPublished(),
      (count) => count === jobs,
      { timeoutMs: 60_000, everyMs: 250 },
    );
    const before = await readyMessages(scene, 'warren.default');
    scene.prove('messages that waited before', before, before >= jobs / MAX_IDS_WRITTEN);
    for (const step of ['stop_app', 'reset', 'start_app']) await servers.rabbitmqctl(step);
    await servers.rabbitmqReady();
    // What any operator's definitions give back: the vhost and the right to use it. Nothing of ours.
    await servers.createVhost(new URL(stage.amqpUrl).pathname.slice(1));
    const after = await readyMessages(scene, 'warren.default');
    scene.prove('messages that waited afterwards', after, after === 0);
    scene.prove('jobs whose row says that they were published', await stage.countPublished(), true);
    const startedAt = monotonicMs();
    await Promise.all(stage.workers.map((worker) => worker.start()));
    await stage.ready();
    scene.healed();
    await stage.drain();
    scene.figure('completed after the workers came, seconds', (monotonicMs() - startedAt) / 1_000);
  },
  judge: (scene, { figures, runs }) => {
    scene.exactly('completed', scene.size(WAITING), figures.completed);
    scene.atMost('starts per job', MAX_STARTS_PER_JOB, runs.length / figures.completed);
  },
};

const OUTAGE_MS = 60_000;
const WINDOW_MS = 5_000;
/** Windows in which completions need not rise yet: the workers wait two seconds before they take jobs from Postgres. */
const FIRST_WINDOWS = 1;
const MAX_ANSWER_MS = 1_000;
const LAG_GONE_MS = 15_000;

const away: Row = {
  number: 43,
  title: 'RabbitMQ is away for a minute',
  play: async (scene) => {
    const { load, servers } = scene;
    const seconds = (scene.size(OUTAGE_MS) + 40_000) / 1_000;
    const submitting = load.steady({ perSecond: scene.size(200), seconds, ms: 20 });
    await delay(5_000);
    const from = monotonicMs();
    await servers.rabbitmq.stop('SIGTERM');
    scene.prove('RabbitMQ runs', String(servers.rabbitmq.running), !servers.rabbitmq.running);
    await watchWindows(scene, scene.size(OUTAGE_MS) - (monotonicMs() - from));
    const to = monotonicMs();
    await servers.rabbitmq.start();
    await servers.rabbitmqReady();
    const returnedAt = monotonicMs();
    scene.healed();
    scene.figure('RabbitMQ took to come up, ms', returnedAt - to);
    const lagUntil = await watchLag(scene, submitting);
    scene.atMost('lag gone after its return, ms', LAG_GONE_MS, Math.max(0, lagUntil - returnedAt));
    await checkConsumersBack(scene, 'return');
    const answers = checkAnswersInTime(scene, { from, to: returnedAt, maxMs: MAX_ANSWER_MS });
    scene.exactly('answers other than 202', 0, answers.filter(({ status }) => status !== 202).length);
  },
};

async function watchWindows(scene: Scene, ms: number): Promise<void> {
  const count = async () => (await scene.stage.acceptances()).length;
  const windows: number[] = [];
  const startedAt = monotonicMs();
  let before = await count();
  for (let window = 1; window * WINDOW_MS <= ms; window += 1) {
    await delay(Math.max(0, startedAt + window * WINDOW_MS - monotonicMs()));
    const now = await count();
    windows.push(now - before);
    before = now;
  }
  scene.check(
    `completions in each ${WINDOW_MS / 1_000} s of the outage, all but the first`,
    '> 0',
    windows.join(', '),
    windows.length > FIRST_WINDOWS && windows.slice(FIRST_WINDOWS).every((completions) => completions > 0),
  );
}

/** Until the load ends; returns when a job that was due for a second was seen waiting for the last time. */
async function watchLag(scene: Scene, load: Promise<void>): Promise<number> {
  let isOver = false;
  let lastSeen = Number.NEGATIVE_INFINITY;
  const over = load.then(() => {
    isOver = true;
  });
  while (!isOver) {
    if ((await countLate(scene)) > 0) lastSeen = monotonicMs();
    await delay(100);
  }
  await over;
  return lastSeen;
}

async function countLate({ stage }: Scene): Promise<number> {
  return await stage.sql(async (sql) => {
    const [row] = await sql`
      select count(*)::int as count from warren.jobs
      where state = 'available' and run_at < now() - interval '1 second'`;
    return Number(row?.['count']);
  });
}

export const outageRows: readonly Row[] = [wiped, away];
