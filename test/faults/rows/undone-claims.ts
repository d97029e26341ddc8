// Row 44: Postgres crashes while jobs are being claimed. Claims are committed without waiting for the disk, so that a crash undoes the last of them
// while their handlers run.
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../../support/eventually.ts';
import { readEffectsOf } from '../books/effect-book.ts';
import { wake } from '../stage/frozen.ts';
import type { Row, Scene } from '../stage/scene.ts';

/** By `pg_ctl stop -m immediate`, in effect: the server's own processes are gone, the kernel's buffers are not. */
const IMMEDIATE = 20;
/** By the death of one backend, for which the server ends all others and recovers. */
const BACKENDS = 5;
const WAVE = 60;
/** Outlasts a crash, and the time for which nobody claims after it: whoever starts the job anew meanwhile is seen. */
const JOB_MS = 15_000;
/** So much later than the first worker the others come back. */
const LATE_MS = 1_500;

const claimsUndone: Row = {
  number: 44,
  title: 'Postgres crashes while jobs are being claimed, twenty-five times, and RabbitMQ delivers them again',
  maxAmplification: 4,
  stage: { workerQueues: 'critical:4:20,default:10:20,webhooks:5:20,reports:1:1' },
  play: async (scene) => {
    const { stage } = scene;
    const immediate = scene.size(IMMEDIATE);
    const backends = scene.size(BACKENDS);
    let crashes = 0;
    let undone = 0;
    for (let round = 0; round < immediate + backends; round += 1) {
      await startWave(scene);
      const connections = await workerConnections(scene);
      // Stopped, so that what the crash has left can be looked at before the workers do.
      for (const { pid } of stage.workers) process.kill(pid, 'SIGSTOP');
      await (round < immediate ? killServer(scene) : killBackend(scene));
      if (!(await areClaimsOpen(scene))) crashes += 1;
      undone += await countUndone(scene);
      // The messages come again, to the first worker while the others are away: it must not start what runs there.
      for (const name of connections) await stage.management.closeConnection(name);
      const [first, ...others] = stage.workers;
      if (first !== undefined) wake(first);
      await delay(LATE_MS);
      for (const worker of others) wake(worker);
      await eventually(
        () => areClaimsOpen(scene),
        (open) => open,
        { timeoutMs: 60_000, everyMs: 100 },
      );
    }
    scene.prove('crashes', crashes, crashes === immediate + backends);
    scene.prove('claims that were undone while their handlers ran', undone, undone >= crashes);
    scene.healed();
  },
};

/** Resolves when the handlers of half a wave have started just now: no commit that waits for the disk has come since. */
async function startWave(scene: Scene): Promise<void> {
  const wave = scene.size(WAVE);
  await askApi(scene, '/v1/queues/default/pause');
  await scene.load.burst(wave, { ms: JOB_MS, queue: 'default' });
  await eventually(
    () => unpublished(scene),
    (count) => count === 0,
    { timeoutMs: 30_000, everyMs: 50 },
  );
  const before = started(scene);
  await askApi(scene, '/v1/queues/default/resume');
  await eventually(
    async () => started(scene) - before,
    (count) => count >= wave / 2,
    { timeoutMs: 60_000, everyMs: 5 },
  );
}

async function killServer({ servers }: Scene): Promise<void> {
  await servers.postgres.stop('SIGQUIT');
  await servers.postgres.start();
  await servers.postgresReady();
}

/** Resolves when the server serves again. It ends all sessions before it recovers, one of ours among them. */
async function killBackend({ servers, stage }: Scene): Promise<void> {
  const ended = stage.sql(async (sql) => {
    const [api] =
      await sql`select pid from pg_stat_activity where application_name like 'warren-api%' limit 1`;
    const sleeping = sql`select pg_sleep(60)`.execute();
    process.kill(Number(api?.['pid']), 'SIGKILL');
    await sleeping;
  });
  await ended.catch(() => {}); // as it is meant to
  await servers.postgresReady();
}

async function areClaimsOpen({ stage }: Scene): Promise<boolean> {
  return await stage.sql(async (sql) => (await sql`select from warren.claims_open`).length === 1);
}

/** RabbitMQ's names of the workers' connections that consume. */
async function workerConnections({ stage }: Scene): Promise<string[]> {
  const consumers = await stage.management.consumers();
  return [...new Set(consumers.map(({ channel_details }) => channel_details.connection_name))];
}

/** Handlers that have begun so far. */
function started({ stage }: Scene): number {
  return stage.workers.reduce((sum, { pid }) => sum + readEffectsOf(stage.bookFolder, pid).length, 0);
}

async function unpublished({ stage }: Scene): Promise<number> {
  return await stage.sql(async (sql) => {
    const [row] = await sql`
      select count(*)::int as count from warren.jobs where state = 'available' and published_at is null`;
    return Number(row?.['count']);
  });
}

/** Handlers that run under a claim of which Postgres knows nothing. */
async function countUndone({ stage }: Scene): Promise<number> {
  const runs = stage.workers
    .flatMap(({ pid }) => readEffectsOf(stage.bookFolder, pid))
    .filter(({ endedAt }) => endedAt === undefined);
  return await stage.sql(async (sql) => {
    const rows = await sql<{ id: string; fence: number }[]>`
      select id, fence from warren.jobs where state = 'available' and id = any(${runs.map(({ jobId }) => jobId)}::bigint[])`;
    const fences = new Map(rows.map(({ id, fence }) => [id, fence]));
    return runs.filter(({ jobId, fence }) => fences.get(jobId) === fence - 1).length;
  });
}

async function askApi({ stage }: Scene, path: string): Promise<void> {
  const response = await fetch(`${stage.apis[0]?.url}${path}`, {
    method: 'POST',
    signal: AbortSignal.timeout(10_000),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
}

export const undoneClaimRows: readonly Row[] = [claimsUndone];
