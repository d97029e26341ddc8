// Steps: the life of workers, and what they do with the messages that come to them.
import type { Claim } from '../../src/shared/postgres/statements/claim.ts';
import { claimJobs, reclaimJobs } from '../../src/shared/postgres/statements/claim.ts';
import { claimNextJobs } from '../../src/shared/postgres/statements/claim-next.ts';
import { findOwnJobs } from '../../src/shared/postgres/statements/control.ts';
import { texts } from '../../src/shared/postgres/statements/parts.ts';
import { spendMessages } from '../../src/shared/postgres/statements/publish.ts';
import { findStandings } from '../../src/shared/postgres/statements/read.ts';
import { restoreClaims } from '../../src/shared/postgres/statements/restore.ts';
import { takeOverJobs } from '../../src/shared/postgres/statements/takeover.ts';
import { beat, markStarted } from '../../src/shared/postgres/statements/workers.ts';
import { expectSameSet } from './difference.ts';
import type { ModelJob } from './model.ts';
import type { Step } from './people-steps.ts';
import type { Message, Worker, World } from './world.ts';
import { inOrder, ownerOf, queues, types } from './world.ts';

const MOST_WORKERS = 4;
const MOST_ATTEMPTS = 6;
/** How long workers have to come back after a crash of Postgres, in milliseconds. */
const RETURN_MS = 5_000;
const ANSWER_LOST_AFTER_MS = 10_000;

const ids = (jobs: readonly { id: string }[]) => jobs.map(({ id }) => id);

// Life.

export const startWorker: Step = async (world) => {
  if (world.workers.length >= MOST_WORKERS) return undefined;
  const { random } = world;
  return await addWorker(world, random.chance(0.7) ? types : [random.one(types)]);
};

export async function addWorker(world: World, known: readonly string[]): Promise<string> {
  const worker: Worker = {
    owners: [world.newOwner()],
    claimNumber: 0,
    attempts: new Map(),
    unheard: new Map(),
    connectedAt: undefined,
    queues,
    types: known,
    delivered: {},
  };
  world.workers.push(worker);
  await connect(world, worker);
  return `worker ${ownerOf(worker)} comes, for ${known.join(', ')}`;
}

/** Takes the lock, restores what a crash has undone, and beats. */
async function connect(world: World, worker: Worker): Promise<void> {
  await world.lock(worker);
  await restore(world, worker, [...worker.attempts.keys()]);
  await tellBeat(world, worker);
}

async function restore({ sql, model }: World, worker: Worker, held: readonly string[]): Promise<void> {
  const claims = held.flatMap((id) => worker.attempts.get(id)?.claim ?? []);
  if (claims.length === 0) return;
  const inForce = await restoreClaims(sql, claims, worker.owners);
  const told = (list: readonly { id: string; isRestored: boolean }[]) =>
    list.map((claim) => JSON.stringify(claim));
  expectSameSet(
    'claims in force',
    told(inForce.map(({ id, isRestored }) => ({ id, isRestored }))),
    told(model.restore(claims, worker.owners)),
  );
  for (const id of held) {
    const attempt = worker.attempts.get(id);
    if (!ids(inForce).includes(id))
      worker.attempts.delete(id); // its handler is aborted
    else if (attempt !== undefined) attempt.mayBeLost = false;
  }
}

export const sendBeat: Step = async (world) => {
  const worker = world.random.pick(world.connected);
  if (worker === undefined) return undefined;
  await tellBeat(world, worker);
  return `worker ${ownerOf(worker)} beats`;
};

export async function tellBeat({ sql, model, crashedAt }: World, worker: Worker): Promise<void> {
  const [owner, since] = [ownerOf(worker), worker.connectedAt ?? model.now];
  const opensClaims = model.now - Math.max(since, crashedAt) >= RETURN_MS;
  const serves = { app: 'model', queues: worker.queues, types: worker.types, slots: {}, schedules: [] };
  const vitals = {
    version: '0',
    running: {},
    lane: 'rabbitmq',
    loopDelayMs: 0,
    memoryBytes: 0,
    isDraining: false,
  } as const;
  const delivered = Object.fromEntries(
    Object.entries(worker.delivered).map(([queue, dueAt]) => [queue, dueAt / 1_000]),
  );
  await beat(sql, {
    owner,
    name: 'model',
    termMs: 6_000,
    delivered,
    serves,
    vitals,
    hasCome: false,
    opensClaims,
  });
  model.areClaimsOpen ||= opensClaims;
  model.workers.set(owner, {
    holdsLock: worker.connectedAt !== undefined,
    beatAt: model.now,
    startedUpTo: model.workers.get(owner)?.startedUpTo ?? 0,
    queues: worker.queues,
    types: worker.types,
    delivered: { ...worker.delivered },
  });
}

/** `kill -9`. */
export const killWorker: Step = async (world) => {
  const worker = world.random.pick(world.workers);
  if (worker === undefined) return undefined;
  await world.unlock(worker);
  world.requeueMessagesOf(worker);
  world.workers = world.workers.filter((other) => other !== worker);
  return `worker ${ownerOf(worker)} is killed, with ${[...worker.attempts.keys()].join(', ')}`;
};

/** Its handlers go on; whether it keeps its consumers is another matter. */
export const cutWorkerOff: Step = async (world) => {
  const worker = world.random.pick(world.connected);
  if (worker === undefined) return undefined;
  await world.unlock(worker);
  if (world.random.chance(0.5)) world.requeueMessagesOf(worker);
  return `worker ${ownerOf(worker)} loses its session`;
};

export const bringWorkerBack: Step = async (world) => {
  const worker = world.random.pick(world.workers.filter(({ connectedAt }) => connectedAt === undefined));
  if (worker === undefined) return undefined;
  // Somebody else may have its lock: then it draws another number, and what it claimed without hearing of it stays with the old one.
  if (world.random.chance(0.2)) {
    worker.owners.push(world.newOwner());
    worker.unheard.clear();
  }
  await connect(world, worker);
  return `worker ${ownerOf(worker)} is back, with ${[...worker.attempts.keys()].join(', ')}`;
};

/** Right after a claim, whose commit has not waited for the disk: some of the last claims are undone, every session ends, nobody claims. */
export const crashPostgres: Step = async (world) => {
  const { model, random, sql } = world;
  if (world.undoable.length === 0) return undefined;
  const undone = world.undoable;
  await sql`delete from warren.claims_open`;
  for (const { id, attempt, fence, owner, claimNumber, publishedAt } of undone)
    await sql`
      update warren.jobs set state = 'available', attempt = ${attempt}, fence = ${fence}, owner = ${owner}::text::bigint, claim_batch = ${claimNumber},
        published_at = ${publishedAt === null ? null : new Date(publishedAt).toISOString()}::text::timestamptz
      where id = ${id}::text::bigint`;
  model.undo(undone);
  model.areClaimsOpen = false;
  world.crashedAt = model.now;
  for (const { id, fence } of undone) world.fences.set(id, fence);
  for (const worker of world.workers) {
    await world.unlock(worker);
    world.mayLose([...worker.attempts.keys()]);
    if (random.chance(0.3)) world.requeueMessagesOf(worker);
  }
  return `Postgres crashes, and the claims of ${ids(undone).join(', ')} are undone`;
};

// Claims.

function toClaim({ id, type, queue, fence, attempt, maxAttempts, claimNumber, crashes }: Claim | ModelJob) {
  return { id, type, queue, fence, attempt, maxAttempts, claimNumber: claimNumber ?? 0, crashes };
}

function expectClaims(what: string, real: readonly Claim[], model: readonly ModelJob[]): void {
  const told = (list: readonly (Claim | ModelJob)[]) => list.map((claim) => JSON.stringify(toClaim(claim)));
  expectSameSet(what, told(real), told(model));
}

export const deliver: Step = async (world) => {
  const { random, connected } = world;
  const worker = random.pick(connected);
  if (worker === undefined || worker.attempts.size >= MOST_ATTEMPTS) return undefined;
  const message = random.pick(
    world.messages.filter(({ holder, queue }) => holder === undefined && worker.queues.includes(queue)),
  );
  if (message === undefined) return undefined;
  const given = [...message.ids].join(', ');
  return `deliver ${given} to worker ${ownerOf(worker)}: ${await receive(world, worker, message)}`;
};

export async function receive(world: World, worker: Worker, message: Message): Promise<string> {
  const { sql, model, random } = world;
  message.holder = worker;
  for (const id of message.ids) if (worker.attempts.has(id)) await spend(world, [id], message);
  const wanted = [...message.ids];
  const before = wanted.map((id) => ({ ...model.jobs.get(id) }) as ModelJob);
  const claimant = world.claimantOf(worker);
  const claims = inOrder(await claimJobs(sql, wanted, { ...claimant, types: texts(worker.types) }));
  expectClaims('claimed', claims, model.claim(wanted, claimant, worker.types));
  world.undoable = before.filter(({ id }) => ids(claims).includes(id));
  if (random.chance(0.03)) {
    for (const { id } of claims) worker.unheard.set(id, claimant.claimNumber);
    message.holder = undefined;
    return `claimed ${ids(claims).join(', ')}, and the answer is lost`;
  }
  world.hold(worker, claims.map(toClaim), message);
  noteDelivered(worker, claims);
  const left = wanted.filter((id) => !ids(claims).includes(id));
  if (left.length === 0) return `claimed ${ids(claims).join(', ')}`;
  world.undoable = []; // what follows is committed after the claim, and waits for the disk
  return `claimed ${ids(claims).join(', ')}; ${await explain(world, worker, { message, left })}`;
}

function noteDelivered(worker: Worker, claims: readonly Claim[]): void {
  for (const { queue, dueAt } of claims)
    worker.delivered[queue] = Math.max(worker.delivered[queue] ?? 0, Math.round(dueAt * 1_000));
}

/** What a worker does about the jobs of a message that it could not claim. */
async function explain(
  world: World,
  worker: Worker,
  { message, left }: { message: Message; left: readonly string[] },
): Promise<string> {
  const { sql, model } = world;
  const standings = await findStandings(sql, left);
  expectSameSet(
    'standings',
    standings.map(({ id, state, fence }) => `${id} ${state} ${fence}`),
    left.flatMap((id) => model.jobs.get(id) ?? []).map(({ id, state, fence }) => `${id} ${state} ${fence}`),
  );
  if (!model.areClaimsOpen && standings.some(({ state }) => state === 'available')) {
    message.holder = undefined; // it tries again and again
    return 'claims are closed';
  }
  const told: string[] = [];
  for (const id of left) {
    const standing = standings.find((candidate) => candidate.id === id);
    const isWaiting = standing?.state === 'available' || standing?.state === 'running';
    if (standing === undefined || !isWaiting) {
      world.settle(message, id);
      told.push(`${id} is ${standing?.state ?? 'gone'}`);
    } else if (!worker.types.includes(standing.type)) {
      await spend(world, [id], message, { repeatAfterMs: 250, atMostMs: 30_000 });
      told.push(`${id} is foreign`);
    } else if (model.jobs.get(id)?.gates.some((gate) => gate.startsWith('limit:'))) {
      await spend(world, [id], message); // whoever runs it anew must pass its limits: the rescuer's, should its owner be dead
      told.push(`${id} counts against a limit`);
    } else if (worker.unheard.has(id)) {
      told.push(`${id} was unheard: ${await reclaim(world, worker, { id, message })}`);
    } else {
      told.push(`${id}: ${await takeOver(world, worker, { id, owner: standing.owner, message })}`);
    }
  }
  return told.join('; ');
}

async function reclaim(
  world: World,
  worker: Worker,
  { id, message }: { id: string; message?: Message },
): Promise<string> {
  const { sql, model } = world;
  const claimant = world.claimantOf(worker);
  const unheard = [{ id, fence: model.jobs.get(id)?.fence ?? 0 }];
  const claims = await reclaimJobs(sql, unheard, claimant);
  expectClaims('reclaimed', claims, model.reclaim(unheard, claimant));
  worker.unheard.delete(id);
  world.hold(worker, claims.map(toClaim), message);
  if (claims.length === 0 && message !== undefined) await spend(world, [id], message);
  return claims.length === 0 ? 'lost' : 'claimed again';
}

async function takeOver(
  world: World,
  worker: Worker,
  { id, owner, message }: { id: string; owner: string | null; message: Message },
): Promise<string> {
  const { sql, model } = world;
  const orphans = [{ id, owner: owner ?? '0' }];
  const claimant = world.claimantOf(worker);
  const taken = await takeOverJobs(sql, orphans, { ...claimant, types: texts(worker.types) });
  expectClaims('taken over', taken, model.takeOver(orphans, { ...claimant, types: worker.types }));
  world.mayLose(ids(taken));
  world.hold(worker, taken.filter(({ state }) => state === 'running').map(toClaim), message);
  if (taken.length === 0) await spend(world, [id], message);
  else if (taken[0]?.state !== 'running') world.settle(message, id);
  return taken.length === 0 ? 'spent' : `taken over from ${owner}`;
}

/** The message is acknowledged although its job may still need one. */
async function spend(
  world: World,
  spent: readonly string[],
  message: Message,
  times = { repeatAfterMs: 2_000, atMostMs: 2_000 },
): Promise<void> {
  await spendMessages(world.sql, spent, times);
  world.model.spend(spent, times);
  for (const id of spent) world.settle(message, id);
}

/** The broker is away: jobs come straight from Postgres. */
export const claimWithoutMessages: Step = async (world) => {
  const { random, connected, model, sql } = world;
  const worker = random.pick(connected);
  if (worker === undefined || worker.attempts.size >= MOST_ATTEMPTS) return undefined;
  const wanted = random.some(worker.queues, 2).map((queue) => ({ queue, slots: random.int(1, 3) }));
  const except = [...worker.attempts.keys()];
  const claimant = world.claimantOf(worker);
  const budget = { smallBytes: 1_000_000, largeBytes: 1_000_000, largeAbove: 1_000, mostBytes: 1_000_000 };
  const asked = { wanted, except, budget, ...claimant, types: texts(worker.types) };
  const claims = inOrder(await claimNextJobs(sql, asked));
  expectClaims(
    'claimed without messages',
    claims,
    model.claimNext(wanted, { except, ...claimant, types: worker.types }),
  );
  world.hold(worker, claims.map(toClaim));
  return `worker ${ownerOf(worker)} claims ${ids(claims).join(', ')} without messages`;
};

/** A worker looks at its own rows for claims whose answer was lost. */
export const lookForUnheard: Step = async (world) => {
  const { random, connected, model, sql } = world;
  const worker = random.pick(connected);
  if (worker === undefined) return undefined;
  const owner = ownerOf(worker);
  const own = inOrder(await findOwnJobs(sql, owner));
  const told = (job: { id: string; isCancelRequested: boolean }, isSettled: boolean) =>
    `${job.id} ${job.isCancelRequested} ${isSettled}`;
  expectSameSet(
    'own jobs',
    own.map((job) => told(job, job.isSettled)),
    model
      .all((job) => job.state === 'running' && job.owner === owner)
      .map((job) => told(job, (job.startedAt ?? 0) < model.now - ANSWER_LOST_AFTER_MS)),
  );
  const unheard = own.filter(({ id, isSettled }) => isSettled && !worker.attempts.has(id));
  for (const { id } of unheard) await reclaim(world, worker, { id });
  return `worker ${owner} finds ${ids(unheard).join(', ')} unheard`;
};

/** Handlers start; the worker tells how far. */
export const startHandlers: Step = async (world) => {
  const { random, workers } = world;
  const worker = random.pick(
    workers.filter(({ attempts }) => [...attempts.values()].some(({ hasStarted }) => !hasStarted)),
  );
  if (worker === undefined) return undefined;
  const started = random.some([...worker.attempts.keys()], 3);
  startThem(world, worker, started);
  if (worker.connectedAt !== undefined && random.chance(0.8)) await tellStarted(world, worker);
  return `worker ${ownerOf(worker)} starts ${started.join(', ')}`;
};

export function startThem(world: World, worker: Worker, started: readonly string[]): void {
  for (const id of started) {
    const attempt = worker.attempts.get(id);
    if (attempt === undefined || attempt.hasStarted) continue;
    attempt.hasStarted = true;
    world.starts.set(id, (world.starts.get(id) ?? 0) + 1);
  }
}

async function tellStarted({ sql, model }: World, worker: Worker): Promise<void> {
  const waiting = [...worker.attempts.values()].filter(({ hasStarted }) => !hasStarted);
  const claimNumber = Math.min(
    worker.claimNumber,
    ...[...waiting.map(({ claim }) => claim.claimNumber), ...worker.unheard.values()].map(
      (number) => number - 1,
    ),
  );
  const owner = ownerOf(worker);
  await markStarted(sql, { owner, claimNumber });
  const known = model.workers.get(owner);
  if (known !== undefined) known.startedUpTo = Math.max(known.startedUpTo, claimNumber);
}
