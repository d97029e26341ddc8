// Rows 3 and 4: a program dies at the two places where a job's row and its message can disagree.
import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../../../bench/stage/monotonic.ts';
import { eventually } from '../../support/eventually.ts';
import { readyJobs } from '../stage/broker-queue.ts';
import type { Member } from '../stage/member.ts';
import type { Row, Scene } from '../stage/scene.ts';
import { feed } from './leaders.ts';

const CRASHES = 50;
const RELAY_CRASHES = 15;
/** Until another worker leads, has something to relay and dies of it. */
const RELAY_CRASH_TIMEOUT_MS = 10_000;
const MAX_PUBLISH_MS = 5_000;
/** What an API may take to come up, in milliseconds. */
const START_TIMEOUT_MS = 20_000;

/** Starts the program again and again with the failpoint set, until it has died there so many times. Answers how often it did. */
async function crash(
  scene: Scene,
  member: Member,
  options: { failpoint: string; times: number },
): Promise<number> {
  let crashes = 0;
  for (let life = 0; life < options.times; life += 1) {
    await member.end('SIGKILL');
    const count = 1 + Math.floor(scene.random() * 15);
    await member.start({ FAILPOINT: options.failpoint, FAILPOINT_COUNT: String(count) });
    member.expectEnd();
    const { exited } = member.life.program;
    const deadline = new AbortController();
    const gaveUp = delay(START_TIMEOUT_MS, undefined, { signal: deadline.signal }).catch(() => undefined);
    const exit = await Promise.race([exited, gaveUp]);
    deadline.abort();
    if (exit?.signal === 'SIGKILL') crashes += 1;
  }
  await member.end('SIGKILL');
  await member.start();
  return crashes;
}

async function crashApis(scene: Scene, failpoint: string, queue?: string): Promise<void> {
  const { stage, load } = scene;
  let isOver = false;
  const submitting = (async () => {
    while (!isOver)
      await load.steady({ perSecond: 30, seconds: 1, ms: 20, ...(queue === undefined ? {} : { queue }) });
  })();
  const times = Math.ceil(scene.size(CRASHES) / stage.apis.length);
  const crashes = await Promise.all(stage.apis.map((api) => crash(scene, api, { failpoint, times })));
  await stage.ready(stage.apis);
  isOver = true;
  await submitting;
  const total = crashes.reduce((sum, count) => sum + count, 0);
  scene.prove('deaths at the failpoint', total, total >= scene.size(CRASHES));
  scene.healed();
}

const dieBeforePublish: Row = {
  number: 3,
  title: 'The API dies between the commit and the publish',
  isCore: true,
  play: async (scene) => await crashApis(scene, 'after-commit'),
  judge: async (scene) => {
    const [row] = await scene.stage.sql(
      async (sql) =>
        await sql`
        select max(extract(epoch from started_at - created_at) * 1000)::float8 as ms,
          count(*) filter (where started_at - created_at > interval '1 second')::int as late
        from warren.jobs`,
    );
    scene.figure('jobs that came to a worker later than 1 s', Number(row?.['late']));
    scene.check(
      'jobs that the relay had to publish',
      '>= 1',
      Number(row?.['late']),
      Number(row?.['late']) > 0,
    );
    scene.atMost('commit to worker, at most, ms', MAX_PUBLISH_MS, Number(row?.['ms']));
    checkAnswers(scene);
  },
};

/** Whoever repeats a submit with its key gets 202, never a conflict or a second job. */
function checkAnswers(scene: Scene): void {
  // Without a status: committed past the APIs.
  const wrong = scene.stage.submits.lines.filter(
    ({ phase, status }) => phase === 'ok' && status !== undefined && status !== 202,
  );
  scene.exactly('answers other than 202', 0, wrong.length);
  const refused = scene.stage.submits.lines.filter(
    ({ phase, status }) => phase === 'refused' && status !== 503,
  );
  scene.exactly('refusals other than 503', 0, refused.length);
  const unknown = new Set(
    scene.stage.submits.lines.filter(({ phase }) => phase === 'unknown').map(({ key }) => key),
  );
  scene.figure('keys submitted again after no answer', unknown.size);
}

/** Whichever worker leads dies as soon as it relays; the next one publishes again what it left unmarked. */
async function crashRelays(scene: Scene): Promise<void> {
  const { workers } = scene.stage;
  const times = scene.size(RELAY_CRASHES);
  const until = monotonicMs() + times * RELAY_CRASH_TIMEOUT_MS;
  const arm = async (worker: Member) => {
    const count = 1 + Math.floor(scene.random() * 15);
    await worker.start({ FAILPOINT: 'after-confirm', FAILPOINT_COUNT: String(count) });
    worker.expectEnd();
  };
  for (const worker of workers) {
    await worker.end('SIGKILL');
    await arm(worker);
  }
  const feeding = new AbortController();
  const fed = feed(scene, feeding.signal);
  let deaths = 0;
  const watch = async (worker: Member) => {
    while (deaths < times && monotonicMs() < until) {
      const exit = await Promise.race([worker.life.program.exited, delay(500)]);
      if (exit?.signal !== 'SIGKILL') continue;
      deaths += 1;
      await arm(worker);
    }
  };
  await Promise.all(workers.map(watch));
  feeding.abort();
  await fed;
  scene.prove('deaths of the leader at the failpoint', deaths, deaths >= times);
  for (const worker of workers) {
    await worker.end('SIGKILL');
    await worker.start();
  }
  await scene.stage.ready(workers);
}

const dieBeforeMark: Row = {
  number: 4,
  title: 'The API, then the relay, dies between the confirm and the mark',
  isCore: true,
  maxAmplification: 2,
  play: async (scene) => {
    const { stage } = scene;
    // Nobody takes from `default` at first: a claim would make the mark that the API has not made. It is served all the same, or the relay would leave it.
    await pauseDefault(scene, true);
    for (const worker of stage.workers) {
      await worker.end('SIGTERM');
      await worker.start();
    }
    await stage.ready();
    await crashApis(scene, 'after-confirm', 'default');
    await crashRelays(scene);
    await eventually(
      () => unpublished(scene),
      (count) => count === 0,
      { timeoutMs: 30_000, everyMs: 100 },
    );
    const doubles = (await readyJobs(scene, 'warren.default')) - (await waitingJobs(scene));
    scene.prove('jobs that the relay has published a second time', doubles, doubles > 0);
    for (const worker of stage.workers) {
      await worker.end('SIGTERM');
      await worker.start();
    }
    await stage.ready();
    await pauseDefault(scene, false); // after the restart: they take it up by themselves, and count from here on what they suppress
    scene.figure('doubles', doubles);
  },
  judge: async (scene) => {
    checkAnswers(scene);
    const suppressed = async () => {
      const counts = scene.stage.workers.map((worker) => worker.metric('warren_deliveries_suppressed_total'));
      return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
    };
    scene.exactly('duplicates suppressed', Number(scene.figures['doubles']), await suppressed());
  },
};

/** Workers read it when they start. */
/** As of the next start of each worker. */
export async function pauseDefault(scene: Scene, paused: boolean): Promise<void> {
  await scene.stage.sql(
    async (sql) => await sql`update warren.queues set paused = ${paused} where name = 'default'`,
  );
}

async function countJobs(scene: Scene, where: string): Promise<number> {
  return await scene.stage.sql(async (sql) => {
    const [row] = await sql.unsafe(`select count(*)::int as count from warren.jobs where ${where}`);
    return Number(row?.['count']);
  });
}

async function unpublished(scene: Scene): Promise<number> {
  return await countJobs(scene, "state = 'available' and published_at is null");
}

async function waitingJobs(scene: Scene): Promise<number> {
  return await countJobs(scene, "state = 'available'");
}

export const outboxRows: readonly Row[] = [dieBeforePublish, dieBeforeMark];
