// Row 44: Postgres crashes while jobs are being claimed. Claims are committed without waiting for the disk, so that a crash undoes the last of them
// while their handlers run.
import { eventually } from '../../support/eventually.ts';
import type { Row, Scene } from '../stage/scene.ts';
import { runningIn } from './kills.ts';

/** By `pg_ctl stop -m immediate`, in effect: the server's own processes are gone, the kernel's buffers are not. */
const IMMEDIATE = 20;
/** By the death of one backend, for which the server ends all others and recovers. */
const BACKENDS = 5;
const WAVE = 60;
/** Outlasts a crash, and the time for which nobody claims after it: whoever starts the job anew meanwhile is seen. */
const JOB_MS = 15_000;
const RESTORED = 'Postgres had crashed: claims that it has undone were made again';

const claimsUndone: Row = {
  number: 44,
  title: 'Postgres crashes while jobs are being claimed, twenty-five times, and RabbitMQ delivers them again',
  maxAmplification: 4,
  stage: { workerQueues: 'critical:4:20,default:10:20,webhooks:5:20,reports:1:1' },
  play: async (scene) => {
    const immediate = scene.size(IMMEDIATE);
    const backends = scene.size(BACKENDS);
    let crashes = 0;
    for (let round = 0; round < immediate + backends; round += 1) {
      await startWave(scene);
      const connections = await workerConnections(scene);
      await (round < immediate ? killServer(scene) : killBackend(scene));
      if (!(await areClaimsOpen(scene))) crashes += 1;
      // The messages of what runs come again: nobody may start it a second time.
      await Promise.all(connections.map((name) => scene.stage.management.closeConnection(name)));
      await eventually(
        () => areClaimsOpen(scene),
        (open) => open,
        { timeoutMs: 60_000, everyMs: 100 },
      );
    }
    scene.prove('crashes', crashes, crashes === immediate + backends);
    const undone = restoredClaims(scene);
    scene.prove('claims that were undone while their handlers ran', undone, undone > 0);
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

async function killBackend({ servers, stage }: Scene): Promise<void> {
  const backend = await stage.sql(async (sql) => {
    const [row] =
      await sql`select pid from pg_stat_activity where application_name like 'warren-api%' limit 1`;
    return Number(row?.['pid']);
  });
  process.kill(backend, 'SIGKILL');
  await eventually(
    () => stage.sql(async (sql) => (await sql`select from warren.claims_open`).length).catch(() => 1),
    (rows) => rows === 0,
    { timeoutMs: 30_000, everyMs: 5 },
  );
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

/** Handlers that have begun and not ended. */
function started(scene: Scene): number {
  return scene.stage.workers.reduce((sum, { pid }) => sum + runningIn(scene, pid), 0);
}

async function unpublished({ stage }: Scene): Promise<number> {
  return await stage.sql(async (sql) => {
    const [row] = await sql`
      select count(*)::int as count from warren.jobs where state = 'available' and published_at is null`;
    return Number(row?.['count']);
  });
}

function restoredClaims({ stage }: Scene): number {
  const lines = stage.workers.flatMap(({ lives }) => lives.flatMap(({ program }) => program.logs));
  return lines.reduce((sum, { msg, count }) => sum + (msg === RESTORED ? Number(count) : 0), 0);
}

async function askApi({ stage }: Scene, path: string): Promise<void> {
  const response = await fetch(`${stage.apis[0]?.url}${path}`, {
    method: 'POST',
    signal: AbortSignal.timeout(10_000),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
}

export const undoneClaimRows: readonly Row[] = [claimsUndone];
