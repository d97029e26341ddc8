// Row 49: jobs that end in a transaction of their own, whose worker is killed at every point of it, a thousand times; Postgres is killed, too.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../../support/eventually.ts';
import { KILLS, killPoints } from '../preload/job-types.ts';
import type { Member } from '../stage/member.ts';
import type { Row, Scene } from '../stage/scene.ts';

const ALL_KILLS = 1_000;
const FEW_KILLS = 10;
const SERVER_KILLS = 10;
const KILL_TIMEOUT_MS = 3_600_000;

const ownTransactions: Row = {
  number: 49,
  title: 'Workers are killed at every point of the own transactions of their jobs, a thousand times',
  isCore: true,
  allowsExtraRuns: true,
  maxAmplification: 3, // nearly every message was with a worker that was killed, and Postgres was away
  // One job at a time: whoever is killed loses that one alone, and no job is taken for one that takes its process down.
  stage: {
    workers: 5,
    workerQueues: 'critical:9:1,default:1:1,webhooks:9:1,reports:1:1',
  },
  // postgres.js 3.4.9 handles no failure of the query by which a new connection of the handlers asks for types.
  expectedLines: /read ECONNRESET|CONNECTION_CLOSED|57P0/,
  play: async (scene) => {
    const { stage, load } = scene;
    const isWhole = scene.scale === 1;
    const kills = isWhole ? ALL_KILLS : FEW_KILLS;
    await createEffects(scene);
    const over = Promise.withResolvers<void>();
    const keeping = stage.workers.map((worker) => keepAlive(worker, over.promise));
    const submitting = Promise.all(
      killPoints.map((how) =>
        load.burst(kills / killPoints.length, { type: 'fault-transaction', how, queue: 'default' }, 2),
      ),
    );
    for (let kill = 1; isWhole && kill <= SERVER_KILLS; kill += 1) {
      await untilKills(scene, (kills * kill) / (SERVER_KILLS + 1));
      await scene.servers.postgres.stop('SIGQUIT');
      await scene.servers.postgres.start();
      await scene.servers.postgresReady();
    }
    await submitting;
    await untilKills(scene, kills);
    await eventually(
      () => killed(stage.workers),
      (count) => count >= kills,
    );
    await stage.drain();
    over.resolve();
    await Promise.all(keeping);
    await stage.ready(stage.workers);
    for (const how of killPoints)
      scene.prove(
        `kills: ${how}`,
        countKills(scene, how),
        countKills(scene, how) >= kills / killPoints.length,
      );
    scene.prove('processes that were killed', killed(stage.workers), killed(stage.workers) >= kills);
    scene.healed();
  },
  judge: async (scene) => {
    const [row] = await scene.stage.sql(
      async (sql) =>
        await sql`
        select count(*) filter (where effects = 0 and state = 'completed')::int as without_effect,
          count(*) filter (where effects > 0 and state <> 'completed')::int as without_end,
          count(*) filter (where effects > 1)::int as twice, count(*) filter (where effects = 1)::int as once
        from (select state, (select count(*) from book.effects where effects.job = job.id) as effects
          from warren.jobs job where type = 'fault-transaction') as jobs`,
    );
    scene.exactly('jobs that have ended without their effect', 0, Number(row?.['without_effect']));
    scene.exactly('effects of jobs that have not ended', 0, Number(row?.['without_end']));
    scene.exactly('jobs whose effect is there twice', 0, Number(row?.['twice']));
    scene.figure('effectsThereOnce', Number(row?.['once']));
  },
};

/** The commit takes a while, by a trigger that runs after the last statement and before the commit. */
async function createEffects({ stage }: Scene): Promise<void> {
  await stage.sql(
    async (sql) =>
      await sql.unsafe(`
      create table book.effects (job bigint not null, fence int not null);
      create function book.take_time() returns trigger language plpgsql as $$
        begin
          perform pg_catalog.pg_sleep(0.1);
          return null;
        end $$;
      create constraint trigger take_time after insert on book.effects deferrable initially deferred
        for each row execute function book.take_time()`),
  );
}

async function keepAlive(worker: Member, over: Promise<void>): Promise<void> {
  let isOver = false;
  const ended = over.then(() => {
    isOver = true;
  });
  while (!isOver) {
    worker.expectEnd();
    await Promise.race([worker.life.program.exited, ended]);
    if (worker.life.exit !== undefined) await worker.start();
    await delay(0);
  }
}

function killed(workers: readonly Member[]): number {
  return workers.flatMap(({ lives }) => lives).filter(({ exit }) => exit?.signal === 'SIGKILL').length;
}

function countKills({ stage }: Scene, how?: string): number {
  try {
    const points = readFileSync(join(stage.bookFolder, KILLS), 'utf8').trimEnd().split('\n');
    return points.filter((point) => how === undefined || point === how).length;
  } catch {
    return 0; // nobody was killed yet
  }
}

async function untilKills(scene: Scene, wanted: number): Promise<void> {
  await eventually(
    () => countKills(scene),
    (count) => count >= wanted,
    { timeoutMs: KILL_TIMEOUT_MS, everyMs: 100 },
  );
}

export const ownTransactionRows: readonly Row[] = [ownTransactions];
