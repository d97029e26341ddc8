// Row 33: the worker that relays is frozen, wakes with a term that is over, and the next one is killed.
import { setTimeout as delay } from 'node:timers/promises';
import postgres from 'postgres';
import { monotonicMs } from '../../../bench/stage/monotonic.ts';
import { freeze, wake } from '../stage/frozen.ts';
import { findLeader, handOver, untilLed } from '../stage/leader.ts';
import type { Row, Scene } from '../stage/scene.ts';
import { insertJob } from './transactions.ts';

const ALL_QUEUES = 'critical:5:20,default:5:20,webhooks:5:20,reports:5:1';
const FREEZE_MS = 30_000;
const MAX_GAP_MS = 10_000;
const RELAYED = 'warren_maintenance_jobs_total';
const SUPPRESSED = 'warren_deliveries_suppressed_total';

const frozenLeader: Row = {
  number: 33,
  title: 'The leader is frozen for 30 s while it relays, then the next is killed',
  // Two workers take nothing from `default` and lead; the third runs what they publish, and must not be what is broken.
  stage: { workerQueues: 'critical:5:20,webhooks:5:20,reports:10:1' },
  play: async (scene) => {
    const { stage } = scene;
    const [first, second, consumer] = stage.workers;
    if (first === undefined || second === undefined || consumer === undefined)
      throw new Error('three workers are needed');
    const restart = async (worker: typeof consumer) => {
      await worker.start(worker === consumer ? { WORKER_QUEUES: ALL_QUEUES } : {});
      await stage.ready([worker]);
    };
    await consumer.end('SIGTERM');
    await restart(consumer);
    const leader = await handOver(scene, [first, second], restart);
    const feeding = new AbortController();
    const fed = feed(scene, feeding.signal);
    await delay(3_000);
    const relayedBefore = await leader.metric(RELAYED, 'task="relay"');
    await freeze(scene, leader);
    const frozenAt = monotonicMs();
    scene.prove('messages that the leader had relayed', relayedBefore, relayedBefore > 0);
    const { afterMs } = await untilLed(scene, leader);
    scene.atMost('another leads after the freeze, ms', MAX_GAP_MS, afterMs);
    await delay(Math.max(0, FREEZE_MS - (monotonicMs() - frozenAt)));
    wake(leader);
    await checkDethroned(scene, leader.pid);
    scene.figure('relayedByTheWokenLeader', (await leader.metric(RELAYED, 'task="relay"')) - relayedBefore);
    const next = await handOver(scene, [first, second], restart);
    await next.end('SIGKILL');
    const killed = await untilLed(scene, next);
    scene.atMost('another leads after the kill, ms', MAX_GAP_MS, killed.afterMs);
    await delay(3_000);
    await restart(next);
    feeding.abort();
    await fed;
    scene.healed();
  },
  judge: async (scene, { runs }) => {
    const started = new Map(runs.map(({ key, startedAt }) => [key, startedAt]));
    const gaps = scene.stage.submits.lines.flatMap(({ key, phase, at }) => {
      const startedAt = started.get(key);
      return phase === 'ok' && startedAt !== undefined ? [startedAt - at] : [];
    });
    scene.atMost('commit to handler, at most, ms', MAX_GAP_MS, Math.max(...gaps));
    const suppressed = await Promise.all(scene.stage.workers.map((worker) => worker.metric(SUPPRESSED)));
    scene.figure(
      'duplicatesSuppressed',
      suppressed.reduce((sum, count) => sum + count, 0),
    );
  },
};

/** Commits twenty jobs a second that nobody but the relay publishes. */
export async function feed({ stage }: Scene, signal: AbortSignal): Promise<void> {
  const sql = postgres(stage.databaseUrl, { max: 1, onnotice: () => {} });
  for (let n = 0; !signal.aborted; n += 1) {
    const key = `r${n}`;
    stage.submits.write({ key, phase: 'invoke' });
    const jobId = await sql.begin(async (transaction) => await insertJob(transaction, key));
    stage.submits.write({ key, phase: 'ok', jobId });
    await delay(50);
  }
  await sql.end({ timeout: 2 });
}

/** For a while after it woke: somebody else has the term. */
async function checkDethroned(scene: Scene, pid: number): Promise<void> {
  const until = monotonicMs() + 2_000;
  let looks = 0;
  let led = 0;
  while (monotonicMs() < until) {
    looks += 1;
    if ((await findLeader(scene))?.pid === pid) led += 1;
    await delay(50);
  }
  scene.check('looks at which the woken leader led', '= 0', `${led} of ${looks}`, led === 0 && looks > 0);
}

export const leaderRows: readonly Row[] = [frozenLeader];
