// Rows 24 and 25: Postgres loses its sessions, crashes, and is away for a minute.
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../../../bench/stage/monotonic.ts';
import type { Row, Scene } from '../stage/scene.ts';
import { checkAnswersInTime } from './broker.ts';

const ROUNDS = 15;
const ROUND_MS = 2_000;
const OUTAGE_MS = 60_000;
const MAX_ANSWER_MS = 2_000;
/** Kernel clock ticks per second, the same on every Linux that Node runs on. */
const TICKS = 100;

const crashed: Row = {
  number: 24,
  title: 'Sessions are terminated, then Postgres crashes',
  isCore: true,
  allowsExtraRuns: true,
  maxAmplification: 1.5,
  play: async (scene) => {
    const { load, servers } = scene;
    const from = monotonicMs();
    const rounds = scene.size(ROUNDS);
    const seconds = (rounds * ROUND_MS) / 1_000 + 15;
    const submitting = load.steady({ perSecond: scene.size(200), seconds, ms: 20 });
    let terminated = 0;
    for (let round = 0; round < rounds; round += 1) {
      await delay(ROUND_MS);
      terminated += await terminateSessions(scene);
    }
    scene.prove('sessions terminated', terminated, terminated > 15);
    const { pid } = servers.postgres;
    await servers.postgres.stop('SIGQUIT');
    await delay(5_000);
    await servers.postgres.start();
    await servers.postgresReady();
    scene.prove('Postgres crashed', `pid ${pid}, then ${servers.postgres.pid}`, servers.postgres.pid !== pid);
    scene.healed();
    const to = monotonicMs();
    await submitting;
    checkAnswersInTime(scene, { from, to, maxMs: MAX_ANSWER_MS });
  },
  judge: (scene, { figures }) => {
    scene.figure('extra runs', figures.extraRuns);
    scene.exactly('extra_runs', 0, figures.extraRuns);
  },
};

async function terminateSessions(scene: Scene): Promise<number> {
  return await scene.stage.sql(async (sql) => {
    const rows = await sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and application_name like 'warren-%'`;
    return rows.length;
  });
}

const away: Row = {
  number: 25,
  title: 'Postgres is away for a minute',
  isCore: true,
  allowsExtraRuns: true,
  maxAmplification: 3,
  play: async (scene) => {
    const { load, servers, stage } = scene;
    const submitting = load.steady({ perSecond: scene.size(200), seconds: 30, ms: 200 });
    await delay(5_000);
    await servers.postgres.stop('SIGINT');
    const from = monotonicMs();
    scene.prove('Postgres runs', String(servers.postgres.running), !servers.postgres.running);
    const deliveredBefore = stage.deliveries();
    const cpuBefore = cpuSeconds(scene);
    await delay(scene.size(OUTAGE_MS));
    const seconds = (monotonicMs() - from) / 1_000;
    scene.figure('deliveries in the outage', stage.deliveries() - deliveredBefore);
    scene.atMost(
      'CPU of a worker in the outage, %',
      20,
      (Math.max(...cpuSeconds(scene).map((after, n) => after - (cpuBefore[n] ?? 0))) / seconds) * 100,
    );
    const to = monotonicMs();
    await servers.postgres.start();
    await servers.postgresReady();
    scene.healed();
    await submitting;
    const answers = checkAnswersInTime(scene, { from, to, maxMs: MAX_ANSWER_MS });
    // Those that began in the outage and were answered in it.
    const during = answers.filter(({ at, ms = 0 }) => at - ms >= from && at <= to);
    const refused = during.filter(({ status, hasRetryAfter }) => status === 503 && hasRetryAfter);
    scene.check(
      'answers in the outage with 503 and Retry-After',
      'all, and some',
      `${refused.length} of ${during.length}`,
      refused.length > 0 && refused.length === during.length,
    );
  },
  judge: (scene, { figures, runs }) => {
    scene.figure('extra runs', figures.extraRuns);
    const { healedAt = 0 } = scene;
    const ends = runs.flatMap(({ startedAt, endedAt }) =>
      startedAt > healedAt && endedAt !== undefined ? [endedAt - healedAt] : [],
    );
    scene.atMost(
      'first completion after healing, ms',
      10_000,
      ends.length === 0 ? undefined : Math.min(...ends),
    );
  },
};

/** Processor time that each worker has used so far. */
function cpuSeconds(scene: Scene): number[] {
  return scene.stage.workers.map(({ pid }) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
  });
}

export const databaseRows: readonly Row[] = [crashed, away];
