// Whether every job gets to its end: nothing new is asked for, everything that repairs does its work, and after a bounded time no job is live.
// Guarantees: it does nothing but what a fleet does by itself, once a person has resumed what was paused.
import { resumeType } from '../../src/shared/postgres/statements/paused-types.ts';
import { resumeQueue } from '../../src/shared/postgres/statements/queues.ts';
import { Difference } from './difference.ts';
import { admit } from './gate-steps.ts';
import { checkInvariants } from './invariants.ts';
import * as messages from './message-steps.ts';
import { hasEnded } from './model.ts';
import { recordThem } from './record-steps.ts';
import { addWorker, bringWorkerBack, lookForUnheard, receive, tellBeat } from './worker-steps.ts';
import type { Worker, World } from './world.ts';
import { types } from './world.ts';

const ROUNDS = 200;
/** Messages go to any worker before, by chance; then to those who know every type, as the others would hand them on to. */
const BY_CHANCE = 100;
const ROUND_MS = 3_000;
/** In a round: some of the gatekeeper's among them. */
const ADMISSIONS = 4;

export async function settle(world: World): Promise<void> {
  for (const queue of world.model.paused) await resumeQueue(world.sql, queue);
  world.model.paused.clear();
  for (const type of world.model.pausedTypes) await resumeType(world.sql, type);
  world.model.pausedTypes.clear();
  await addWorker(world, types);
  for (let round = 0; round < ROUNDS; round += 1) {
    if (world.model.all((job) => !hasEnded(job)).length === 0) return;
    await world.advance(ROUND_MS);
    while ((await bringWorkerBack(world)) !== undefined);
    for (const worker of world.connected) await tellBeat(world, worker);
    await messages.promote(world);
    await messages.rescue(world);
    await messages.reconcile(world);
    for (let time = 0; time < ADMISSIONS; time += 1) await admit(world);
    await messages.relay(world);
    while ((await messages.publish(world)) !== undefined);
    while ((await messages.mark(world)) !== undefined);
    await workOff(world, round < BY_CHANCE ? world.connected : world.connected.filter(knowsAll));
    await world.comparison.changes();
    checkInvariants(world);
    world.undoable = [];
  }
  const [job] = world.model.all((candidate) => !hasEnded(candidate));
  throw new Difference(`job ${job?.id} does not get to its end: it is still ${JSON.stringify(job)}`);
}

function knowsAll(worker: Worker): boolean {
  return worker.types.length === types.length;
}

/** Every message goes to somebody, and every attempt completes. */
async function workOff(world: World, receivers: readonly Worker[]): Promise<void> {
  for (const message of [...world.messages]) {
    const worker = world.random.pick(receivers);
    if (message.holder === undefined && worker !== undefined) await receive(world, worker, message);
  }
  await lookForUnheard(world);
  for (const worker of world.connected) {
    const outcomes = [...worker.attempts.values()].map(
      ({ claim }) => ({ id: claim.id, fence: claim.fence, act: 'complete' }) as const,
    );
    if (outcomes.length > 0) await recordThem(world, worker, outcomes);
  }
}
