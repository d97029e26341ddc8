// Rows 11, 12 and 14: RabbitMQ restarts, dies, closes every connection, and has no room left.
import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../../../bench/stage/monotonic.ts';
import { eventually } from '../../support/eventually.ts';
import type { SubmitLine } from '../books/submit-book.ts';
import type { Row, Scene } from '../stage/scene.ts';

const MAX_ANSWER_MS = 1_000;
const CONSUMERS = 60;

/** Submits that were open at some time between two moments: each is answered yes or 503 in time, none hangs. */
export function checkAnswersInTime(
  scene: Scene,
  options: { from: number; to: number; maxMs: number },
): SubmitLine[] {
  const { from, to, maxMs } = options;
  const answers = scene.stage.submits.lines.filter(
    ({ at, phase, ms = 0 }) => phase !== 'invoke' && at >= from && at - ms <= to,
  );
  const late = answers.filter(({ ms = 0 }) => ms > maxMs);
  const silent = answers.filter(({ phase }) => phase === 'unknown');
  const wrong = answers.filter(
    ({ phase, status, hasRetryAfter }) => phase === 'refused' && (status !== 503 || !hasRetryAfter),
  );
  const slowest = answers.reduce((most, { ms = 0 }) => Math.max(most, ms), 0);
  scene.figure('answers during the fault', answers.length);
  scene.figure('of them 503', answers.filter(({ status }) => status === 503).length);
  scene.figure('slowest answer during the fault, ms', slowest);
  scene.exactly(`answers later than ${maxMs} ms`, 0, late.length);
  scene.exactly('submits without an answer', 0, silent.length);
  scene.exactly('refusals without 503 and Retry-After', 0, wrong.length);
  return answers;
}

async function connectionNames(scene: Scene): Promise<string[]> {
  return (await scene.stage.management.connections()).map(({ name }) => name);
}

export async function checkConsumersBack(scene: Scene, name: string): Promise<void> {
  const { management } = scene.stage;
  const startedAt = monotonicMs();
  const consumers = async () =>
    (await management.consumers().catch(() => [])).filter(({ prefetch_count }) => prefetch_count > 0);
  await eventually(
    async () => (await consumers()).length,
    (count) => count === CONSUMERS,
    { timeoutMs: 30_000, everyMs: 100 },
  ).catch(() => {});
  scene.figure(`${name}: consumers back after, ms`, monotonicMs() - startedAt);
  scene.exactly(`${name}: consumers with their prefetch`, CONSUMERS, (await consumers()).length);
}

const restarted: Row = {
  number: 11,
  title: 'RabbitMQ is restarted, then killed',
  isCore: true,
  allowsExtraRuns: true,
  maxAmplification: 1.5,
  play: async (scene) => {
    const { load, servers } = scene;
    const submitting = load.steady({ perSecond: scene.size(200), seconds: 30, ms: 20 });
    await delay(3_000);
    // The panel learns of connections a little later.
    const before = await eventually(
      async () => await connectionNames(scene),
      (names) => names.length >= 5,
      { timeoutMs: 15_000, everyMs: 250 },
    );
    const from = monotonicMs();
    await servers.rabbitmqctl('stop_app');
    await delay(5_000);
    await servers.rabbitmqctl('start_app');
    await servers.rabbitmqReady();
    const after = await connectionNames(scene);
    const kept = before.filter((name) => after.includes(name)).length;
    scene.prove(
      'connections that survived the restart',
      `${kept} of ${before.length}`,
      before.length >= 5 && kept === 0,
    );
    await checkConsumersBack(scene, 'restart');
    const { pid } = servers.rabbitmq;
    await servers.rabbitmq.stop('SIGKILL');
    await servers.rabbitmq.start();
    await servers.rabbitmqReady();
    scene.prove('beam killed', `pid ${pid}, then ${servers.rabbitmq.pid}`, servers.rabbitmq.pid !== pid);
    await checkConsumersBack(scene, 'kill');
    scene.healed();
    const to = monotonicMs();
    await submitting;
    checkAnswersInTime(scene, { from, to, maxMs: MAX_ANSWER_MS });
  },
  judge: (scene, { figures }) => {
    // 300 slots and 20 ms jobs at 200 per second: about 4 run at any moment, and each of the two faults may double those.
    scene.atMost('extra_runs', 30, figures.extraRuns);
  },
};

const DISK_ALARM_MS = 30_000;

const alarms: Row = {
  number: 14,
  title: 'RabbitMQ has a disk alarm, then a memory alarm',
  isCore: true,
  stage: { workerQueues: 'critical:5:20,default:5:2,webhooks:5:20,reports:5:1' },
  play: async (scene) => {
    const { load, servers } = scene;
    // A backlog in the broker that outlasts the alarm: 30 slots of half a second.
    await load.burst(scene.size(3_000), { ms: 500, queue: 'default' });
    const from = monotonicMs();
    const seconds = scene.size(60);
    const submitting = load.steady({ perSecond: scene.size(100), seconds, ms: 20, queue: 'critical' });
    await servers.rabbitmqctl('set_disk_free_limit', '4000GB');
    await proveBlocked(scene, 'disk alarm');
    await watchCompletions(scene, 'disk alarm', scene.size(DISK_ALARM_MS));
    await servers.rabbitmqctl('set_disk_free_limit', '200MB');
    await delay(2_000);
    await servers.rabbitmqctl('set_vm_memory_high_watermark', '0.0001');
    await proveBlocked(scene, 'memory alarm');
    await watchCompletions(scene, 'memory alarm', 5_000);
    await servers.rabbitmqctl('set_vm_memory_high_watermark', '0.4');
    scene.healed();
    const to = monotonicMs();
    await eventually(
      async () => await unpublished(scene),
      (count) => count === 0,
      { timeoutMs: 60_000, everyMs: 100 },
    ).catch(() => {});
    scene.atMost('outbox empty after the alarm, ms', 15_000, monotonicMs() - to);
    await submitting;
    checkAnswersInTime(scene, { from, to, maxMs: MAX_ANSWER_MS });
  },
};

/** Rows that the fast path has left to the relay: the load goes on meanwhile. */
async function unpublished(scene: Scene): Promise<number> {
  return await scene.stage.sql(async (sql) => {
    const [row] = await sql`
      select count(*)::int as count from warren.jobs
      where state = 'available' and published_at is null and created_at < now() - interval '3 seconds'`;
    return Number(row?.['count']);
  });
}

async function proveBlocked(scene: Scene, name: string): Promise<void> {
  const { apis } = scene.stage;
  const blocked = () =>
    apis.filter(({ life }) =>
      life.program.logs.some(({ msg }) => msg === 'RabbitMQ has a resource alarm and takes no messages'),
    ).length;
  await eventually(blocked, (count) => count > 0, { timeoutMs: 15_000, everyMs: 100 }).catch(() => {});
  scene.prove(`${name}: APIs that were told to stop publishing`, blocked(), blocked() > 0);
}

/** Completions in each third of the time: they must go on rising. */
async function watchCompletions(scene: Scene, name: string, ms: number): Promise<void> {
  const count = async () => (await scene.stage.acceptances()).length;
  let before = await count();
  const steps: number[] = [];
  for (let step = 0; step < 3; step += 1) {
    await delay(ms / 3);
    const now = await count();
    steps.push(now - before);
    before = now;
  }
  scene.check(
    `${name}: completions in each third`,
    '> 0',
    steps.join(', '),
    steps.every((step) => step > 0),
  );
}

/** Epoch milliseconds, as the programs have logged them, in order. */
function reconnectTimes({ stage }: Scene): number[] {
  const lines = stage.members.flatMap(({ life }) => life.program.logs);
  return lines
    .filter(({ msg }) => msg === 'RabbitMQ is back')
    .map((line) => Date.parse(String(line['time'])))
    .toSorted((a, b) => a - b);
}

const connectionsClosed: Row = {
  number: 12,
  title: 'Every connection is closed, ten times',
  allowsExtraRuns: true,
  maxAmplification: 1.5,
  play: async (scene) => {
    const { load, servers, stage } = scene;
    const submitting = load.steady({ perSecond: scene.size(200), seconds: 30, ms: 20 });
    await delay(2_000);
    const vhost = new URL(stage.amqpUrl).pathname.slice(1);
    for (let round = 0; round < 10; round += 1) {
      await servers.rabbitmqctl('close_all_connections', '--vhost', vhost, 'fault');
      await delay(1_000);
    }
    const reconnects = reconnectTimes(scene);
    scene.prove('connections opened again', reconnects.length, reconnects.length >= 30);
    const close = reconnects.filter((at, n) => n > 0 && at - (reconnects[n - 1] ?? 0) <= 10).length;
    scene.atMost('share of reconnects within 10 ms of another', 0.5, close / reconnects.length);
    scene.healed();
    await submitting;
    await checkConsumersBack(scene, 'closed');
  },
  judge: (scene, { figures }) => {
    scene.atMost('extra_runs', 0, figures.extraRuns);
  },
};

export const brokerRows: readonly Row[] = [restarted, connectionsClosed, alarms];
