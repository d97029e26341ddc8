// Row 35: ten schedules tick each second, in a fleet whose clocks disagree, whose leader dies again and again, and which is away for a minute.
import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../../../bench/stage/monotonic.ts';
import { percentile } from '../books/checker.ts';
import type { Run } from '../books/effect-book.ts';
import { handOver, untilLed } from '../stage/leader.ts';
import type { Member } from '../stage/member.ts';
import type { Aftermath, Row, Scene } from '../stage/scene.ts';
import { startSecondTicker } from '../stage/second-ticker.ts';
import { pick, runningIn } from './kills.ts';

const SKEW_MS = 7_200_000;
/** While the leader's clock is off and a second one decides beside it, nothing else happens. */
const CALM_MS = 20_000;
const LEADER_KILLS = 5;
const LEADER_KILL_EVERY_MS = 5_000;
const OFF_MS = 60_000;
const WORKER_KILLS = 20;
const WORKER_KILL_EVERY_MS = 1_500;
const SETTLE_MS = 5_000;
const MAX_OFF_MS = 1_000;
/** What the record of an outcome may take on a busy machine. */
const UNRECORDED_MS = 5_000;

/** Six that catch up everything, two the last tick, two none; some jobs come a little after their tick. */
const schedules = Array.from({ length: 10 }, (_, n) => ({
  name: `s${n}`,
  catchUp: n < 6 ? 'all' : n < 8 ? 'last' : 'none',
  jitterMs: n % 3 === 0 ? 300 : 0,
}));

const schedulesRow: Row = {
  number: 35,
  title: 'Ten schedules tick each second: clocks are off, leaders are killed, all is off for a minute',
  allowsExtraRuns: true,
  maxAmplification: 1.5,
  play: async (scene) => {
    const { stage } = scene;
    const skews = new Map(stage.workers.map((worker, n) => [worker, [SKEW_MS, -SKEW_MS, 0][n] ?? 0]));
    const start = async (worker: Member) =>
      await worker.start({ FAULT_CLOCK_SKEW_MS: String(skews.get(worker) ?? 0) });
    const restart = async (worker: Member) => {
      await start(worker);
      await stage.ready([worker]);
    };
    const skewed = stage.workers.filter((worker) => skews.get(worker) !== 0);
    for (const worker of skewed) {
      await worker.end('SIGTERM');
      await restart(worker);
      proveSkew(scene, worker);
    }
    await handOver(scene, skewed, restart);
    scene.figure('monotonicAtEpochMs', await readOffset(scene));
    const second = await startSecondTicker(stage);
    await setSchedules(scene);
    const calmFrom = monotonicMs();
    await delay(scene.size(CALM_MS));
    scene.figure('calmFrom', calmFrom);
    scene.figure('calmUntil', monotonicMs());
    const { decided } = await second.stop();
    scene.prove('ticks that the second one decided', decided, decided > 0);
    let orphans = await killLeaders(scene, restart);
    orphans += await turnOff(scene, start);
    orphans += await killWorkers(scene, restart);
    await restartServers(scene);
    scene.healed();
    await delay(SETTLE_MS);
    for (const { name } of schedules) await ask(scene, 'DELETE', name);
    scene.figure('orphans', orphans);
    await stage.drain();
    await keepBooks(scene);
  },
  judge: async (scene, { runs }) => {
    judgeRepeats(scene, runs);
    await judgeTicks(scene);
    await judgeTimes(scene, runs);
  },
};

function proveSkew(scene: Scene, { life }: Member): void {
  const said = Date.parse(String(life.program.logs.at(-1)?.['time']));
  const offMs = said - Date.now();
  scene.prove(
    'clock of a worker as its log has it, off by hours',
    (offMs / 3_600_000).toFixed(2),
    Math.abs(offMs) > SKEW_MS / 2,
  );
}

/** What is to be added to a time of the database's clock to have that of the monotonic clock, in milliseconds. */
async function readOffset({ stage }: Scene): Promise<number> {
  return await stage.sql(async (sql) => {
    await sql`select 1`; // the connection is open: what follows is one short round trip
    const [row] = await sql`select extract(epoch from clock_timestamp())::float8 * 1000 as ms`;
    return monotonicMs() - Number(row?.['ms']);
  });
}

async function ask({ stage }: Scene, method: string, name: string, body?: object): Promise<void> {
  const [api] = stage.apis;
  const response = await fetch(`${api?.url}/v1/schedules/${name}`, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    signal: AbortSignal.timeout(10_000),
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`${method} of schedule ${name} was answered with ${response.status}`);
}

async function setSchedules(scene: Scene): Promise<void> {
  for (const { name, catchUp, jitterMs } of schedules)
    await ask(scene, 'PUT', name, {
      cron: '* * * * * *',
      type: 'fault-tick',
      args: { key: name, ms: 20 },
      overlap: 'allow',
      catchUp,
      jitterMs,
    });
}

async function killLeaders(scene: Scene, restart: (worker: Member) => Promise<void>): Promise<number> {
  let orphans = 0;
  for (let kill = 0; kill < LEADER_KILLS; kill += 1) {
    const { leader } = await untilLed(scene);
    await leader.end('SIGKILL');
    orphans += runningIn(scene, leader.pid);
    const { afterMs } = await untilLed(scene, leader);
    scene.prove(`leader killed, the next one led after, ms (${kill + 1})`, Math.round(afterMs), true);
    await restart(leader);
    await delay(scene.size(LEADER_KILL_EVERY_MS));
  }
  return orphans;
}

/** Nobody leads. */
async function turnOff(scene: Scene, start: (worker: Member) => Promise<unknown>): Promise<number> {
  const { workers } = scene.stage;
  await Promise.all(workers.map((worker) => worker.end('SIGKILL')));
  const orphans = workers.reduce((sum, { pid }) => sum + runningIn(scene, pid), 0);
  await delay(scene.size(OFF_MS));
  await Promise.all(workers.map(start));
  await scene.stage.ready();
  return orphans;
}

async function killWorkers(scene: Scene, restart: (worker: Member) => Promise<void>): Promise<number> {
  const { stage, random } = scene;
  let orphans = 0;
  for (let kill = 0; kill < scene.size(WORKER_KILLS); kill += 1) {
    const worker = pick(stage.workers, random);
    await worker.end('SIGKILL');
    orphans += runningIn(scene, worker.pid);
    await restart(worker);
    await delay(WORKER_KILL_EVERY_MS * random());
  }
  return orphans;
}

/** Postgres crashes, RabbitMQ is restarted. */
async function restartServers(scene: Scene): Promise<void> {
  const { stage, servers } = scene;
  const before = [servers.postgres.pid, servers.rabbitmq.pid];
  await servers.postgres.stop('SIGQUIT');
  await servers.postgres.start();
  await servers.postgresReady();
  await servers.rabbitmq.stop('SIGTERM');
  await servers.rabbitmq.start();
  await servers.rabbitmqReady();
  const after = [servers.postgres.pid, servers.rabbitmq.pid];
  const isRestarted = before.every((pid, n) => pid !== after[n]);
  scene.prove('both servers restarted, pids', `${before} then ${after}`, isRestarted);
  await stage.ready();
}

interface TickRow {
  schedule: string;
  seconds: number;
  outcome: string;
  reason: string | null;
  jobId: string | null;
  jobs: number;
}

/** Every tick in the history is a job that was asked for, under a key of its own. */
async function keepBooks({ stage }: Scene): Promise<void> {
  await stage.sql(async (sql) => {
    const ticks = await sql<{ key: string; jobId: string }[]>`
      select schedule || '-' || job_id as key, job_id as "jobId" from warren.schedule_ticks where outcome = 'enqueued'`;
    for (const { key, jobId } of ticks)
      stage.submits.write({ key, phase: 'invoke' }, { key, phase: 'ok', status: 202, jobId });
    await sql`update warren.jobs set args = jsonb_set(args, '{key}', to_jsonb((args ->> 'key') || '-' || id))`;
  });
}

/** A handler of twenty milliseconds has mostly ended when its process is killed, and what it came to may not be recorded yet: it runs again. */
function judgeRepeats(scene: Scene, runs: readonly Run[]): void {
  const killedAt = new Map(
    scene.stage.members.flatMap(({ lives }) => lives.map(({ pid, endedAt }) => [pid, endedAt] as const)),
  );
  const isCutOff = ({ pid, endedAt }: Run) => {
    const end = killedAt.get(pid);
    return end !== undefined && (endedAt === undefined || endedAt > end - UNRECORDED_MS);
  };
  const repeated = [...Map.groupBy(runs, ({ jobId }) => jobId).values()].flatMap((same) =>
    same.toSorted((a, b) => a.fence - b.fence).slice(0, -1),
  );
  scene.exactly(
    'runs that were repeated though no kill came between them and their record',
    0,
    repeated.filter((run) => !isCutOff(run)).length,
  );
}

async function judgeTicks(scene: Scene): Promise<void> {
  const ticks = await scene.stage.sql(
    async (sql) =>
      await sql<TickRow[]>`
      select schedule, extract(epoch from tick)::int as seconds, outcome, reason, job_id as "jobId",
        (select count(*)::int from warren.jobs job where job.args ->> 'key' like tick.schedule || '-%' and job.run_at >= tick.tick
          and job.run_at < tick.tick + interval '1 s') as jobs
      from warren.schedule_ticks tick order by schedule, tick`,
  );
  const jobs = await scene.stage.sql(async (sql) => await sql`select id from warren.jobs`);
  const wrong = ticks.filter(({ outcome, jobs: made }) => made !== (outcome === 'enqueued' ? 1 : 0));
  const enqueued = ticks.filter(({ outcome }) => outcome === 'enqueued').length;
  scene.exactly('jobs, one for each tick that was enqueued', enqueued, jobs.length);
  scene.exactly('ticks with another number of jobs than theirs', 0, wrong.length);
  let gaps = 0;
  let disobeyed = 0;
  for (const { name, catchUp } of schedules) {
    const own = ticks.filter(({ schedule }) => schedule === name);
    const [first, last] = [own[0]?.seconds ?? 0, own.at(-1)?.seconds ?? 0];
    gaps += last - first + 1 - own.length;
    disobeyed += own.filter(({ outcome, reason }) =>
      catchUp === 'all' ? outcome !== 'enqueued' : outcome !== 'enqueued' && reason !== 'outage',
    ).length;
    const missed = own.filter(({ outcome }) => outcome === 'missed').length;
    if (catchUp !== 'all')
      scene.check(`ticks of ${name} (${catchUp}) that the outage cost`, '> 0', missed, missed > 0);
  }
  scene.exactly('seconds without a tick in the history', 0, gaps);
  scene.exactly('ticks that were not caught up as they should', 0, disobeyed);
  scene.figure('ticks', ticks.length);
}

/** By the monotonic clock of this machine. */
async function startsOfTicks(
  scene: Scene,
  runs: readonly Run[],
): Promise<{ dueAt: number; lateMs: number }[]> {
  const due = await scene.stage.sql(
    async (sql) =>
      await sql<
        { id: string; ms: number }[]
      >`select id, extract(epoch from run_at)::float8 * 1000 as ms from warren.jobs`,
  );
  const offset = Number(scene.figures['monotonicAtEpochMs']);
  const first = new Map<string, number>();
  for (const { jobId, startedAt } of runs)
    first.set(jobId, Math.min(startedAt, first.get(jobId) ?? Number.POSITIVE_INFINITY));
  return due.flatMap(({ id, ms }) => {
    const startedAt = first.get(id);
    return startedAt === undefined ? [] : [{ dueAt: ms + offset, lateMs: startedAt - (ms + offset) }];
  });
}

async function judgeTimes(scene: Scene, runs: Aftermath['runs']): Promise<void> {
  const starts = await startsOfTicks(scene, runs);
  const [from, until] = [Number(scene.figures['calmFrom']), Number(scene.figures['calmUntil'])];
  const calm = starts.filter(({ dueAt }) => dueAt > from && dueAt < until).map(({ lateMs }) => lateMs);
  scene.atMost(
    'earliest start before it was due, ms',
    MAX_OFF_MS,
    -Math.min(...starts.map(({ lateMs }) => lateMs)),
  );
  scene.atMost('latest start while clocks are off, ms', MAX_OFF_MS, Math.max(...calm));
  scene.figure('latenessP50MsCalm', percentile(calm, 0.5) ?? 0);
  scene.figure('latenessP99MsCalm', percentile(calm, 0.99) ?? 0);
}

export const scheduleRows: readonly Row[] = [schedulesRow];
