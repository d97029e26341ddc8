// Steps: what people and programs ask for.
import { isUniqueViolation } from '../../src/shared/postgres/failures.ts';
import { byId, deleteJobs, retryJobs, runJobs } from '../../src/shared/postgres/statements/acts.ts';
import { cancelJob } from '../../src/shared/postgres/statements/control.ts';
import { editJobs } from '../../src/shared/postgres/statements/edit.ts';
import type { InsertOptions } from '../../src/shared/postgres/statements/insert.ts';
import { insertJobs } from '../../src/shared/postgres/statements/insert.ts';
import { findTypes, pauseType, resumeType } from '../../src/shared/postgres/statements/paused-types.ts';
import { pruneJobs } from '../../src/shared/postgres/statements/pruning.ts';
import { findQueues, pauseQueue, resumeQueue } from '../../src/shared/postgres/statements/queues.ts';
import { findUniqueJob } from '../../src/shared/postgres/statements/read.ts';
import { expectSame, expectSameSet } from './difference.ts';
import type { NewModelJob } from './model.ts';
import { hasEnded } from './model.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';
import { limitNames, queues, types } from './world.ts';

/** What it did, in a line; undefined where there was nothing to do. */
export type Step = (world: World) => Promise<string | undefined>;

/** More jobs make a step slower, and no sequence likelier. */
const MOST_LIVE = 50;
const RETENTION_MS = 60_000;

export const enqueue: Step = async (world) => {
  const { model, random, sql } = world;
  if (model.all((job) => !hasEnded(job)).length > MOST_LIVE) return undefined;
  const options = { byRelay: random.chance(0.2), isOneRequest: random.chance(0.3) } satisfies InsertOptions;
  const sharedKey = random.chance(0.3) ? `request-${random.int(1, 200)}` : undefined;
  const given = Array.from({ length: random.int(1, 4) }, () => ({
    ...someJob(random, model.now),
    idempotencyKey: options.isOneRequest || random.chance(0.7) ? sharedKey : undefined,
  }));
  const rows = await insertJobs(
    sql,
    given.map(({ runAt, ...job }) => ({
      ...job,
      args: {},
      fingerprint: job.idempotencyKey,
      runAt: runAt === undefined ? undefined : new Date(runAt).toISOString(),
    })),
    options,
  );
  const ids = rows.map(({ id }) => id);
  const outcomes = model.enqueue(given, ids, options);
  expectSame(
    'enqueue',
    rows.map(({ outcome }) => outcome),
    outcomes,
  );
  const available = rows.flatMap(({ id, state }, index) => {
    const { queue, type } = given[index] ?? someJob(random, 0);
    return state === 'available' ? [{ id, queue, type, fence: 0 }] : [];
  });
  if (available.length > 0 && !options.byRelay) world.toPublish.push(available);
  return `enqueue ${JSON.stringify(given)} as ${ids.join(', ')}: ${outcomes.join(', ')}`;
};

/** Who may run, and when: most jobs have nothing of it. */
function someGates(random: Random): { orderingKey?: string; limits?: string[]; group?: string } {
  if (random.chance(0.65)) return {};
  return {
    ...(random.chance(0.5) ? { orderingKey: `order-${random.int(1, 2)}` } : {}),
    ...(random.chance(0.5) ? { limits: random.some([...limitNames, 'print:a4'], 2) } : {}),
    ...(random.chance(0.3) ? { group: `group-${random.int(1, 3)}` } : {}),
  };
}

function gatesOf(queue: string, { orderingKey, limits = [], group }: ReturnType<typeof someGates>): string[] {
  return [
    ...(orderingKey === undefined ? [] : [`order:${queue}:${orderingKey}`]),
    ...limits.map((name) => `limit:${name}`),
    ...(group === undefined ? [] : [`group:${queue}:${group}`]),
  ];
}

function someJob(
  random: Random,
  now: number,
): NewModelJob & { rare: ReturnType<typeof someGates> | undefined } {
  const [queue, rare] = [random.one(queues), someGates(random)];
  const gates = gatesOf(queue, rare);
  const time = random.weighted([
    ['now', 6],
    ['delay', 3],
    ['at', 1],
  ]);
  return {
    type: random.one(types),
    queue,
    gates,
    rare: gates.length > 0 ? rare : undefined,
    maxAttempts: random.int(1, 3),
    delayMs: time === 'delay' ? random.int(0, 30_000) : undefined,
    runAt: time === 'at' ? now + random.int(-10_000, 60_000) : undefined,
    uniqueKey: random.chance(0.3) ? `key-${random.int(1, 4)}` : undefined,
  };
}

export const cancel: Step = async ({ model, random, sql }) => {
  const job = random.pick([...model.jobs.values()]);
  if (job === undefined) return undefined;
  const before = job.state;
  const told = await cancelJob(sql, job.id);
  expectSame(`cancel job ${job.id}`, told, model.cancel(job.id));
  return `cancel job ${job.id} (${before}): ${told}`;
};

export const retry: Step = async (world) => {
  const { model, random, sql } = world;
  const jobs = model.all(
    ({ state }) => random.chance(0.1) || ['retryable', 'cancelled', 'discarded'].includes(state),
  );
  const job = random.pick(jobs);
  if (job === undefined) return undefined;
  const before = job.state;
  const retried = await retryJobs(sql, byId(sql, job.id)).catch((error: unknown) => {
    if (isUniqueViolation(error)) return 'unique' as const;
    throw error;
  });
  const real = retried === 'unique' ? retried : (retried[0] ?? null);
  const wanted = model.retry(job.id);
  const told = real === null || real === 'unique' ? real : 'retried';
  expectSame(`retry job ${job.id} (${before})`, told, wanted);
  if (real !== null && real !== 'unique' && real.gate === null) world.toPublish.push([real]);
  return `retry job ${job.id} (${before}): ${told}`;
};

export const run: Step = async (world) => {
  const { model, random, sql } = world;
  const job = random.pick([...model.jobs.values()]);
  if (job === undefined) return undefined;
  const before = job.state;
  const [real] = await runJobs(sql, byId(sql, job.id));
  expectSame(`run job ${job.id} (${before})`, real !== undefined, model.run(job.id));
  if (real?.startsAnew) world.toPublish.push([real]);
  return `run job ${job.id} (${before}): ${real?.state ?? 'refused'}`;
};

export const editTime: Step = async (world) => {
  const { model, random, sql } = world;
  const job = random.pick([...model.jobs.values()]);
  if (job === undefined) return undefined;
  const before = job.state;
  const runAt = model.now + random.int(-10_000, 30_000);
  const [real] = await editJobs(sql, byId(sql, job.id), { runAt: new Date(runAt).toISOString() });
  const told = `give job ${job.id} (${before}) the time ${runAt - model.now}`;
  expectSame(told, real !== undefined, model.editTime(job.id, runAt));
  if (real?.startsAnew) world.toPublish.push([real]);
  return `${told}: ${real?.state ?? 'refused'}`;
};

export const remove: Step = async ({ model, random, sql }) => {
  const job = random.pick([...model.jobs.values()]);
  if (job === undefined) return undefined;
  const before = job.state;
  const [real] = await deleteJobs(sql, byId(sql, job.id));
  expectSame(`delete job ${job.id} (${before})`, real !== undefined, model.delete(job.id));
  return `delete job ${job.id} (${before}): ${real === undefined ? 'refused' : 'gone'}`;
};

export const pauseOrResume: Step = async ({ model, random, sql }) => {
  const queue = random.one(queues);
  const isPaused = model.paused.has(queue);
  if (!isPaused && random.chance(0.7)) return undefined; // a queue is paused now and then, and not for long
  if (isPaused) model.paused.delete(queue);
  else model.paused.add(queue);
  await (isPaused ? resumeQueue(sql, queue) : pauseQueue(sql, queue));
  const paused = (await findQueues(sql)).filter((stored) => stored.paused).map(({ name }) => name);
  expectSameSet('paused queues', paused, [...model.paused]);
  return `${isPaused ? 'resume' : 'pause'} queue ${queue}`;
};

export const pauseOrResumeType: Step = async ({ model, random, sql }) => {
  const type = random.one(types);
  const isPaused = model.pausedTypes.has(type);
  if (!isPaused && random.chance(0.7)) return undefined;
  if (isPaused) model.pausedTypes.delete(type);
  else model.pausedTypes.add(type);
  expectSame(
    `the type ${type} is known`,
    await (isPaused ? resumeType(sql, type) : pauseType(sql, type)),
    true,
  );
  const paused = (await findTypes(sql)).filter((known) => known.paused);
  expectSameSet(
    'paused types',
    paused.map((known) => known.type),
    [...model.pausedTypes],
  );
  return `${isPaused ? 'resume' : 'pause'} type ${type}`;
};

/** Who holds a unique key, as somebody is told whose job was a duplicate. */
export const lookUpHolder: Step = async ({ model, random, sql }) => {
  const [type, key] = [random.one(types), `key-${random.int(1, 4)}`];
  const found = await findUniqueJob(sql, type, key);
  expectSame(`holder of ${type} ${key}`, found?.id ?? null, model.holder(type, key)?.id ?? null);
  return `look up ${type} ${key}: ${found?.id ?? 'nobody'}`;
};

export const prune: Step = async ({ model, sql }) => {
  const retention = { completed: RETENTION_MS, cancelled: RETENTION_MS, discarded: RETENTION_MS };
  const { deleted } = await pruneJobs(sql, { after: '0', limit: 100_000, retention, byType: {} });
  expectSame('pruned jobs', deleted, model.prune(RETENTION_MS));
  return `prune: ${deleted}`;
};

export const clockStep: Step = async (world) => {
  const { random } = world;
  const ms = random.weighted([
    ['instant', 6],
    ['seconds', 4],
    ['minutes', 1],
  ]);
  const most = ms === 'instant' ? 300 : ms === 'seconds' ? 6_000 : 120_000;
  const step = random.int(1, most);
  await world.advance(step);
  return `clock: ${step} ms later`;
};
