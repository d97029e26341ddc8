// The fault of the rows about who may run: workers are killed one after the other, and both servers are restarted in between, under a load of lanes.
import { setTimeout as delay } from 'node:timers/promises';
import { pick, runningIn, untilBusy } from '../rows/kills.ts';
import type { Submission } from './load.ts';
import type { Scene } from './scene.ts';

const KILLS = 20;
const LOOK_EVERY_MS = 500;
/** A lane waits while its queue holds more jobs than this. */
const MAX_HELD = 200;

/** Submits one job after the other: the next when the one before it was answered. */
export interface Lane {
  next: (n: number) => Submission;
  paceMs: number;
  /** It goes on, however many jobs its queue holds. Defaults to false. */
  isUnbounded?: boolean;
}

/** Runs the lanes until the last worker that was killed is back, and notes the proofs. The stage is healed then, and not drained. */
export async function killUnderLoad(scene: Scene, lanes: readonly Lane[]): Promise<void> {
  const over = new AbortController();
  const held = new Map<string, number>();
  let mostHeld = 0;
  const watching = watchHeld(scene, over.signal, (queue, count) => {
    held.set(queue, count);
    mostHeld = Math.max(mostHeld, count);
  });
  const running = lanes.map(async ({ next, paceMs, isUnbounded = false }) => {
    for (let n = 0; !over.signal.aborted; ) {
      const submission = next(n);
      if (isUnbounded || (held.get(submission.queue ?? '') ?? 0) <= MAX_HELD) {
        await scene.load.submit(submission);
        n += 1;
      }
      await delay(paceMs, undefined, { signal: over.signal }).catch(() => {});
    }
  });
  try {
    await killWorkers(scene);
  } finally {
    over.abort();
    await Promise.all([...running, watching]);
  }
  scene.figure('most jobs of a queue held at once', mostHeld);
  scene.healed();
}

async function killWorkers(scene: Scene): Promise<void> {
  const { stage, random } = scene;
  const kills = scene.size(KILLS);
  let orphans = 0;
  let busyKills = 0;
  for (let kill = 0; kill < kills; kill += 1) {
    if (kill === Math.floor(kills / 2)) await restartServers(scene);
    const victim = pick(stage.workers, random);
    await untilBusy(scene, victim, 1);
    await victim.end('SIGKILL');
    const left = runningIn(scene, victim.pid);
    orphans += left;
    if (left > 0) busyKills += 1;
    await victim.start();
    await stage.ready([victim]);
  }
  scene.prove('kills of a worker with running jobs', `${busyKills} of ${kills}`, busyKills * 2 >= kills);
  scene.prove('running jobs in the processes that are gone', orphans, orphans > 0);
}

async function restartServers({ servers, stage }: Scene): Promise<void> {
  await Promise.all([servers.rabbitmq.stop('SIGTERM'), servers.postgres.stop('SIGINT')]);
  await Promise.all([servers.rabbitmq.start(), servers.postgres.start()]);
  await Promise.all([servers.rabbitmqReady(), servers.postgresReady()]);
  await stage.ready();
}

async function watchHeld(
  { stage }: Scene,
  signal: AbortSignal,
  tell: (queue: string, count: number) => void,
): Promise<void> {
  while (!signal.aborted) {
    const rows = await stage
      .sql(
        async (sql) =>
          await sql<{ queue: string; count: number }[]>`
            select name as queue, (select count(*)::int from warren.jobs where state = 'held' and queue = name) as count
            from warren.queues`,
      )
      .catch(() => []); // the server is away
    for (const { queue, count } of rows) tell(queue, count);
    await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => {});
  }
}
