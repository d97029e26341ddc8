// Rows 5 and 6: workers are asked to stop, as a deploy does, and as an impatient deploy does.
import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../../../bench/stage/monotonic.ts';
import type { Row } from '../stage/scene.ts';
import { runningIn, untilBusy } from './kills.ts';

const DRAIN_TIMEOUT_MS = 25_000;

const rollingRestart: Row = {
  number: 5,
  title: 'Rolling restart by SIGTERM',
  isCore: true,
  play: async (scene) => {
    const { stage, load } = scene;
    for (const [index, worker] of stage.workers.entries()) {
      const wave = load.burst(scene.size(200), { ms: 500 });
      await untilBusy(scene, worker, scene.size(15));
      const running = runningIn(scene, worker.pid);
      const startedAt = monotonicMs();
      const { code, signal } = await worker.end('SIGTERM');
      scene.prove(`restart ${index + 1}: running jobs at SIGTERM`, running, running > 0);
      scene.exactly(`restart ${index + 1}: exit`, '0', String(signal ?? code));
      scene.atMost(`restart ${index + 1}: exit after, ms`, DRAIN_TIMEOUT_MS, monotonicMs() - startedAt);
      await worker.start();
      await wave;
      await stage.ready([worker]);
    }
    scene.healed();
  },
};

const overlongJob: Row = {
  number: 6,
  title: 'SIGTERM with an overlong job, then a second SIGTERM',
  stage: { workerEnv: { DRAIN_TIMEOUT_MS: '10000' } },
  allowsExtraRuns: true,
  play: async (scene) => {
    const { stage, load } = scene;
    await load.submit({ type: 'fault-stubborn', ms: 60_000, queue: 'default' });
    const owner = stage.workers.find(({ pid }) => runningIn(scene, pid) > 0) ?? (await firstBusy(scene));
    await load.burst(scene.size(100), { ms: 50 });
    const startedAt = monotonicMs();
    const { code, signal } = await owner.end('SIGTERM');
    scene.prove('the overlong job ran in the worker that was stopped', owner.pid, true);
    scene.exactly('exit', '0', String(signal ?? code));
    scene.atMost('exit after, ms', 11_000, monotonicMs() - startedAt);
    await owner.start();
    await stage.ready([owner]);
    const next = await firstBusy(scene);
    const again = next.end('SIGTERM');
    await delay(1_000);
    const secondAt = monotonicMs();
    await next.end('SIGTERM');
    await again;
    scene.atMost('exit after the second SIGTERM, ms', 1_000, monotonicMs() - secondAt);
    await next.start();
    scene.healed();
  },
  judge: async (scene) => {
    const jobs = await scene.stage.sql(
      async (sql) => await sql`select state, attempt, errors from warren.jobs where type = 'fault-stubborn'`,
    );
    scene.exactly('the overlong job', 'completed', String(jobs[0]?.['state']));
    // One attempt for the worker that was ended by force, one for the run that held.
    scene.exactly('attempts charged to the overlong job', 2, Number(jobs[0]?.['attempt']));
  },
};

async function firstBusy(scene: Parameters<Row['play']>[0]) {
  for (;;) {
    const busy = scene.stage.workers.find(({ pid }) => runningIn(scene, pid) > 0);
    if (busy !== undefined) return busy;
    await delay(20);
  }
}

export const gracefulRows: readonly Row[] = [rollingRestart, overlongJob];
