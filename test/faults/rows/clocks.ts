// Row 35: jobs that are due at a time, in a fleet whose clocks disagree and whose leader dies again and again.
import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../../../bench/stage/monotonic.ts';
import { percentile } from '../books/checker.ts';
import { handOver, untilLed } from '../stage/leader.ts';
import type { Member } from '../stage/member.ts';
import type { Aftermath, Row, Scene } from '../stage/scene.ts';
import { runningIn } from './kills.ts';

const SCHEDULES = 10;
const TICKS = 60;
const SKEW_MS = 7_200_000;
/** The first tick is that far away when everything is submitted. */
const LEAD_MS = 8_000;
/** So many ticks with a skewed leader, before the first is killed. */
const CALM_TICKS = 20;
const KILLS = 5;
const KILL_EVERY_MS = 5_000;
const MAX_OFF_MS = 1_000;
const MAX_GAP_MS = 10_000;

const clocks: Row = {
  number: 35,
  title: 'Ten jobs are due each second: two clocks are two hours off, the leader is killed five times',
  allowsExtraRuns: true,
  play: async (scene) => {
    const { stage } = scene;
    const skews = new Map(stage.workers.map((worker, n) => [worker, [SKEW_MS, -SKEW_MS, 0][n] ?? 0]));
    const restart = async (worker: Member) => {
      await worker.start({ FAULT_CLOCK_SKEW_MS: String(skews.get(worker) ?? 0) });
      await stage.ready([worker]);
    };
    const skewed = stage.workers.filter((worker) => skews.get(worker) !== 0);
    for (const worker of skewed) {
      await worker.end('SIGTERM');
      await restart(worker);
      proveSkew(scene, worker);
    }
    await handOver(scene, skewed, restart);
    const firstTickAt = await submitTicks(scene);
    scene.figure('firstTickAt', firstTickAt);
    const killsFrom = firstTickAt + CALM_TICKS * 1_000;
    await delay(Math.max(0, killsFrom - monotonicMs()));
    let orphans = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      const { leader } = await untilLed(scene);
      await leader.end('SIGKILL');
      orphans += runningIn(scene, leader.pid);
      scene.prove(`kill ${kill + 1}: the leader's clock was off by, hours`, hours(skews.get(leader)), true);
      await untilLed(scene, leader);
      await restart(leader);
      await delay(Math.max(0, killsFrom + (kill + 1) * KILL_EVERY_MS - monotonicMs()));
    }
    scene.figure('orphans', orphans);
    await delay(Math.max(0, firstTickAt + TICKS * 1_000 - monotonicMs()));
    scene.healed();
  },
  judge: (scene, { runs, figures }) => {
    scene.atMost('extra_runs', Number(scene.figures['orphans']), figures.extraRuns);
    scene.exactly('jobs, one per schedule and tick', SCHEDULES * TICKS, figures.completed);
    judgeTimes(scene, runs);
  },
};

function hours(ms: number | undefined): number {
  return (ms ?? 0) / 3_600_000;
}

function proveSkew(scene: Scene, { life }: Member): void {
  const said = Date.parse(String(life.program.logs.at(-1)?.['time']));
  const offMs = said - Date.now();
  scene.prove(
    'clock of a worker as its log has it, off by hours',
    (offMs / 3_600_000).toFixed(2),
    Math.abs(offMs) > SKEW_MS / 2,
  );
}

/**
 * Every tick is submitted by both APIs with one Idempotency-Key, as two schedulers would. Answers when the first is due, by the database's
 * clock, in monotonic milliseconds.
 */
async function submitTicks(scene: Scene): Promise<number> {
  const { stage } = scene;
  const { epochMs, at } = await stage.sql(async (sql) => {
    await sql`select 1`; // the connection is open: what follows is one short round trip
    const [row] = await sql`select extract(epoch from clock_timestamp())::float8 * 1000 as ms`;
    return { epochMs: Number(row?.['ms']), at: monotonicMs() };
  });
  for (let tick = 0; tick < TICKS; tick += 1) {
    const keys = Array.from({ length: SCHEDULES }, (_, schedule) => `s${schedule}-t${tick}`);
    stage.submits.write(...keys.map((key) => ({ key, phase: 'invoke' as const })));
    const runAt = new Date(epochMs + LEAD_MS + tick * 1_000).toISOString();
    const answers: string[][] = [];
    for (const { url } of stage.apis) answers.push(await submitTick(url, { tick, keys, runAt }));
    if (new Set(answers.map((ids) => ids.join())).size !== 1)
      throw new Error(`tick ${tick}: two submits of one key made two sets of jobs`);
    stage.submits.write(
      ...keys.map((key, n) => ({ key, phase: 'ok' as const, status: 202, jobId: answers[0]?.[n] ?? '' })),
    );
  }
  return at + LEAD_MS;
}

async function submitTick(
  url: string,
  { tick, keys, runAt }: { tick: number; keys: readonly string[]; runAt: string },
): Promise<string[]> {
  const response = await fetch(`${url}/v1/jobs/batch`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': `tick-${tick}` },
    body: JSON.stringify({
      jobs: keys.map((key) => ({ type: 'fault-work', args: { key, ms: 20 }, queue: 'default', runAt })),
    }),
    signal: AbortSignal.timeout(10_000),
  });
  if (response.status !== 202) throw new Error(`tick ${tick} was answered with ${response.status}`);
  return ((await response.json()) as { ids: string[] }).ids;
}

/** By the monotonic clock of this machine, beside what the product itself has stored. */
function judgeTimes(scene: Scene, runs: Aftermath['runs']): void {
  const firstTickAt = Number(scene.figures['firstTickAt']);
  const firstRuns = [...Map.groupBy(runs, ({ key }) => key).values()].flatMap(
    ([first, ...more]) => more.reduce((a, b) => (b.startedAt < (a?.startedAt ?? 0) ? b : a), first) ?? [],
  );
  const late = firstRuns.map(({ key, startedAt }) => {
    const tick = Number(/-t(\d+)$/.exec(key)?.[1]);
    return { tick, ms: startedAt - (firstTickAt + tick * 1_000) };
  });
  const calm = late.filter(({ tick }) => tick < CALM_TICKS).map(({ ms }) => ms);
  const stormy = late.filter(({ tick }) => tick >= CALM_TICKS).map(({ ms }) => ms);
  scene.atMost('earliest start before it was due, ms', MAX_OFF_MS, -Math.min(...calm, ...stormy));
  scene.atMost('latest start under a leader whose clock is off, ms', MAX_OFF_MS, Math.max(...calm));
  scene.atMost('latest start while leaders are killed, ms', MAX_GAP_MS, Math.max(...stormy));
  scene.figure('latenessP50MsCalm', percentile(calm, 0.5) ?? 0);
  scene.figure('latenessP99MsCalm', percentile(calm, 0.99) ?? 0);
  scene.figure('latenessP50MsStormy', percentile(stormy, 0.5) ?? 0);
}

export const clockRows: readonly Row[] = [clocks];
