// Rows 7 and 8: a worker that lives and does nothing, stopped from outside or blocked by its own handler.
import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../books/monotonic.ts';
import type { Member } from '../stage/member.ts';
import type { Row, Scene } from '../stage/scene.ts';
import { runningIn, untilBusy } from './kills.ts';

const PAUSE_MS = 75_000;
const LEASE_MS = 60_000;

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
    process.kill(victim.pid, 'SIGSTOP');
    const stoppedAt = monotonicMs();
    const running = runningIn(scene, victim.pid);
    scene.prove('running jobs in the worker that was stopped', running, running > 0);
    await wave;
    await load.steady({ perSecond: 10, seconds: (PAUSE_MS - 1_000) / 1_000, ms: 50 });
    await delay(Math.max(0, PAUSE_MS - (monotonicMs() - stoppedAt)));
    const left = await waiting(scene);
    scene.exactly(
      `jobs not ended ${PAUSE_MS / 1_000} s after the stop (lease ${LEASE_MS / 1_000} s)`,
      0,
      left,
    );
    process.kill(victim.pid, 'SIGCONT');
    scene.healed();
    scene.figure('stoppedRunning', running);
  },
  judge: async (scene, { figures }) => {
    const [victim] = scene.stage.workers;
    scene.exactly(
      'outcomes of the woken worker that were refused',
      figures.extraRuns,
      (await victim?.metric('warren_completions_fenced_total')) ?? 0,
    );
    const running = Number(scene.figures['stoppedRunning']);
    scene.atMost('overlap: jobs of the stopped process', running, figures.overlaps.length);
    scene.atMost('extra_runs', running, figures.extraRuns);
  },
};

async function waiting(scene: Scene): Promise<number> {
  return await scene.stage.sql(async (sql) => {
    const [row] =
      await sql`select count(*)::int as count from warren.jobs where state in ('available', 'running', 'retryable')`;
    return Number(row?.['count']);
  });
}

const SPIN_MS = 45_000;

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
    await load.steady({ perSecond: 10, seconds: 40, ms: 50 });
    await delay(Math.max(0, SPIN_MS - (monotonicMs() - startedAt)));
    const isLost = owner.life.program.logs.some(({ msg }) => msg === 'RabbitMQ is away, connecting again');
    await stage.ready([owner]);
    scene.atMost('ready again after the block, ms', 5_000, monotonicMs() - startedAt - SPIN_MS);
    const lost =
      isLost || owner.life.program.logs.some(({ msg }) => msg === 'RabbitMQ is away, connecting again');
    scene.prove('the broker dropped the blocked worker', String(lost), lost);
    scene.healed();
  },
};

async function findBusy(scene: Scene): Promise<Member> {
  for (;;) {
    const busy = scene.stage.workers.find(({ pid }) => runningIn(scene, pid) > 0);
    if (busy !== undefined) return busy;
    await delay(10);
  }
}

export const pauseRows: readonly Row[] = [zombie, blocked];
