// Rows 1, 2 and 41: workers are killed in the middle of their jobs, one by one, all at once, and with a hundred jobs each.

import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../../../bench/stage/monotonic.ts';
import { eventually } from '../../support/eventually.ts';
import type { Figures } from '../books/checker.ts';
import { percentile } from '../books/checker.ts';
import { readEffectsOf } from '../books/effect-book.ts';
import type { Member } from '../stage/member.ts';
import type { Row, Scene } from '../stage/scene.ts';

/** Enough of them at every scale for a percentile of takeovers. */
const MIN_KILLS = 3;
const KILLS = 5;
const KILL_EVERY_MS = 8_000;
const MAX_TAKEOVER_MS = 250;
const WAVE = 120;
const JOB_MS = 500;

/** Handlers of this process that have begun and not ended, by the effect book. */
export function runningIn(scene: Scene, pid: number): number {
  const runs = readEffectsOf(scene.stage.bookFolder, pid);
  return runs.filter(({ endedAt }) => endedAt === undefined).length;
}

/** Resolves when so many handlers run there; gives up quietly where they never do. */
export async function untilBusy(scene: Scene, member: Member, wanted: number): Promise<void> {
  await eventually(
    () => runningIn(scene, member.pid),
    (count) => count >= wanted,
    { timeoutMs: 5_000, everyMs: 20 },
  ).catch(() => {});
}

export function pick<T>(values: readonly T[], random: () => number): T {
  const value = values[Math.floor(random() * values.length)];
  if (value === undefined) throw new Error('there is nothing to pick from');
  return value;
}

const workerKilled: Row = {
  number: 1,
  title: 'A worker is killed, five times',
  isCore: true,
  allowsExtraRuns: true,
  maxAmplification: 1.5,
  play: async (scene) => {
    const { stage, load, random } = scene;
    const kills = Math.max(MIN_KILLS, scene.size(KILLS));
    for (let kill = 0; kill < kills; kill += 1) {
      const startedAt = monotonicMs();
      const victim = pick(stage.workers, random);
      const wave = load.burst(scene.size(WAVE), { ms: JOB_MS });
      await untilBusy(scene, victim, scene.size(15));
      await victim.end('SIGKILL');
      const orphans = runningIn(scene, victim.pid);
      scene.prove(`kill ${kill + 1}: running jobs in the process that is gone`, orphans, orphans > 0);
      await delay(2_000);
      await victim.start();
      await wave;
      await stage.ready([victim]);
      await delay(Math.max(0, scene.size(KILL_EVERY_MS) - (monotonicMs() - startedAt)));
    }
    scene.healed();
  },
  judge: (scene, { figures }) => judgeTakeovers(scene, figures),
};

/** Exactly the orphans ran again, at once, and each was charged once more (no start twice: see `burned`). */
function judgeTakeovers(scene: Scene, { takeoverMs, extraRuns, uncharged }: Figures): void {
  const orphans = scene.proofs.reduce((sum, { seen }) => sum + Number(seen), 0);
  scene.figure('orphans', orphans);
  scene.check('extra_runs', `= ${orphans} orphans`, extraRuns, extraRuns === orphans);
  scene.exactly('orphans started again', orphans, takeoverMs.length);
  scene.atMost('takeover, 99th percentile, ms', MAX_TAKEOVER_MS, percentile(takeoverMs, 0.99));
  scene.figure('takeoverMostMs', Math.max(0, ...takeoverMs));
  scene.exactly('orphans left uncharged', 0, uncharged.length);
}

const HUNDRED = 100;
const HUNDRED_KILLS = 20;

const hundredRunning: Row = {
  number: 41,
  title: 'A worker with a hundred running jobs is killed, twenty times',
  allowsExtraRuns: true,
  maxAmplification: 1.5,
  // Two workers have free slots for what the third leaves behind: this is about how soon it is found.
  stage: { workerQueues: 'critical:4:20,default:10:20,webhooks:5:20,reports:1:1' },
  play: async (scene) => {
    const { stage, load, random } = scene;
    for (let kill = 0; kill < scene.size(HUNDRED_KILLS); kill += 1) {
      const victim = pick(stage.workers, random);
      await load.burst(3 * HUNDRED + 30, { ms: 3_000, queue: 'default' }, 110);
      await untilBusy(scene, victim, HUNDRED);
      await victim.end('SIGKILL');
      const orphans = runningIn(scene, victim.pid);
      scene.prove(`kill ${kill + 1}: running jobs in the process that is gone`, orphans, orphans >= HUNDRED);
      await stage.drain();
      await victim.start();
      await stage.ready([victim]);
    }
    scene.healed();
  },
  judge: (scene, { figures }) => judgeTakeovers(scene, figures),
};

const allWorkersKilled: Row = {
  number: 2,
  title: 'All workers are killed at once',
  allowsExtraRuns: true,
  maxAmplification: 2, // the messages of all jobs may be with the workers that are killed
  play: async (scene) => {
    const { stage, load } = scene;
    const wave = load.burst(scene.size(600), { ms: JOB_MS });
    const [first] = stage.workers;
    if (first !== undefined) await untilBusy(scene, first, scene.size(20));
    await Promise.all(stage.workers.map((worker) => worker.end('SIGKILL')));
    const orphans = stage.workers.reduce((sum, { pid }) => sum + runningIn(scene, pid), 0);
    scene.prove('running jobs in the processes that are gone', orphans, orphans > 0);
    await delay(5_000);
    await Promise.all(stage.workers.map((worker) => worker.start()));
    await wave;
    scene.healed();
  },
  judge: (scene, { figures }) => {
    const orphans = Number(scene.proofs[0]?.seen);
    scene.check('extra_runs', `= ${orphans} orphans`, figures.extraRuns, figures.extraRuns === orphans);
    const backlogSeconds = (scene.size(600) * JOB_MS) / 1_000 / 100;
    scene.atMost('drain, seconds', backlogSeconds + 10, Number(scene.figures['drainSeconds']));
  },
};

export const killRows: readonly Row[] = [workerKilled, allWorkersKilled, hundredRunning];
