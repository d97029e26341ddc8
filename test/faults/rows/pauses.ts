// Rows 7 and 8: a worker that lives and does nothing, stopped from outside or blocked by its own handler.
import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../../../bench/stage/monotonic.ts';
import { countHeldJobs, freeze, wake } from '../stage/frozen.ts';
import type { Member } from '../stage/member.ts';
import type { Row, Scene } from '../stage/scene.ts';
import { runningIn, untilBusy } from './kills.ts';

const PAUSE_MS = 75_000;
const SILENT_MS = 60_000;

const zombie: Row = {
  number: 7,
  isCore: true,
  title: 'A worker is stopped for 75 s and wakes again',
  allowsExtraRuns: true,
  maxOverlaps: 1_000,
  maxAmplification: 1.5,
  play: async (scene) => {
    const { stage, load } = scene;
    const [victim] = stage.workers;
    if (victim === undefined) throw new Error('there is no worker');
    const wave = load.burst(scene.size(600), { ms: 500 });
    await untilBusy(scene, victim, scene.size(20));
    await freeze(scene, victim);
    const stoppedAt = monotonicMs();
    const started = runningIn(scene, victim.pid);
    const held = await countHeldJobs(scene, victim);
    scene.prove('running jobs in the worker that was stopped', started, started > 0);
    await wave;
    await load.steady({ perSecond: 10, seconds: (PAUSE_MS - 1_000) / 1_000, ms: 50 });
    await delay(Math.max(0, PAUSE_MS - (monotonicMs() - stoppedAt)));
    scene.exactly(
      `jobs of before the stop not ended ${PAUSE_MS / 1_000} s after it (given back after ${SILENT_MS / 1_000} s)`,
      0,
      await countOldJobs(scene),
    );
    wake(victim);
    scene.healed();
    scene.figure('stoppedRunning', started);
    scene.figure('stoppedHolding', held);
  },
  judge: async (scene, { figures }) => {
    const [victim] = scene.stage.workers;
    scene.exactly(
      'outcomes of the woken worker that were refused',
      figures.extraRuns,
      (await victim?.metric('warren_completions_fenced_total')) ?? 0,
    );
    const held = Number(scene.figures['stoppedHolding']);
    scene.atMost('overlap: jobs of the stopped process', held, figures.overlaps.length);
    scene.atMost('extra_runs', held, figures.extraRuns);
  },
};

/** Waiting or running, and older than what the load that goes on can have left there. */
async function countOldJobs(scene: Scene): Promise<number> {
  return await scene.stage.sql(async (sql) => {
    const [row] = await sql`
      select count(*)::int as count from warren.jobs
      where state in ('available', 'running', 'retryable') and created_at < now() - interval '10 seconds'`;
    return Number(row?.['count']);
  });
}

const SPIN_MS = 45_000;
const PROBE_EVERY_MS = 10_000;
const PROBE_TIMEOUT_MS = 5_000;
/** So many make the kubelet restart the pod, and the running jobs pay for it. */
const MAX_PROBE_FAILURES = 6;

const blocked: Row = {
  number: 8,
  title: 'A handler blocks the event loop for 45 s',
  allowsExtraRuns: false,
  maxAmplification: 1.5,
  play: async (scene) => {
    const { stage, load } = scene;
    await load.submit({ type: 'fault-spin', ms: SPIN_MS, queue: 'default' });
    const startedAt = monotonicMs();
    const owner = await findBusy(scene);
    const probing = new AbortController();
    const probes = stage.workers.map(async (worker) => ({
      isBlocked: worker === owner,
      failures: await probe(worker, probing.signal),
    }));
    await load.steady({ perSecond: 10, seconds: 40, ms: 50 });
    await delay(Math.max(0, SPIN_MS - (monotonicMs() - startedAt)));
    const isLost = owner.life.program.logs.some(({ msg }) => msg === 'RabbitMQ is away, connecting again');
    await stage.ready([owner]);
    scene.atMost('ready again after the block, ms', 5_000, monotonicMs() - startedAt - SPIN_MS);
    const lost =
      isLost || owner.life.program.logs.some(({ msg }) => msg === 'RabbitMQ is away, connecting again');
    scene.prove('the broker dropped the blocked worker', String(lost), lost);
    probing.abort();
    const streaks = await Promise.all(probes);
    const most = (isBlocked: boolean) =>
      Math.max(...streaks.filter((streak) => streak.isBlocked === isBlocked).map(({ failures }) => failures));
    scene.atMost('liveness probes that failed in a row', MAX_PROBE_FAILURES - 1, most(true));
    scene.exactly('of the other workers', 0, most(false));
    scene.healed();
  },
};

/** As the kubelet probes, by the manifest in k8s/. Returns how many probes failed in a row, at most. */
async function probe(worker: Member, signal: AbortSignal): Promise<number> {
  let streak = 0;
  let most = 0;
  while (!signal.aborted) {
    streak = (await worker.isAlive(PROBE_TIMEOUT_MS)) ? 0 : streak + 1;
    most = Math.max(most, streak);
    await delay(PROBE_EVERY_MS - PROBE_TIMEOUT_MS, undefined, { signal }).catch(() => {}); // it is over
  }
  return most;
}

async function findBusy(scene: Scene): Promise<Member> {
  for (;;) {
    const busy = scene.stage.workers.find(({ pid }) => runningIn(scene, pid) > 0);
    if (busy !== undefined) return busy;
    await delay(10);
  }
}

export const pauseRows: readonly Row[] = [zombie, blocked];
