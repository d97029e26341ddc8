// Steps: how attempts end, and what their worker records.

import { z } from 'zod';
import { defineJob } from '../../src/jobs/define.ts';
import type { Claim } from '../../src/shared/postgres/statements/claim.ts';
import type { Outcome } from '../../src/shared/postgres/statements/record.ts';
import { recordOutcomes } from '../../src/shared/postgres/statements/record.ts';
import { restoreClaims } from '../../src/shared/postgres/statements/restore.ts';
import type { Ending } from '../../src/worker/ending.ts';
import { toOutcome } from '../../src/worker/ending.ts';
import { expectSame, expectSameSet, expectThat } from './difference.ts';
import type { ModelOutcome } from './model.ts';
import type { Step } from './people-steps.ts';
import { startThem } from './worker-steps.ts';
import type { Attempt, Worker, World } from './world.ts';
import { ownerOf } from './world.ts';

/** Outcomes that may come once more. */
const MOST_SENT = 10;
const BACKOFF_MS = 1_500;
const QUARANTINED_FROM = 2;
const definition = defineJob({
  type: 'greet',
  args: z.unknown(),
  backoffMs: () => BACKOFF_MS,
  perform: async () => undefined,
});

/** Some of a worker's attempts end, and their outcomes go as one statement. */
export const record: Step = async (world) => {
  const { random } = world;
  const worker = random.pick(world.workers.filter(({ attempts }) => attempts.size > 0));
  if (worker === undefined) return undefined;
  const ended = random.some([...worker.attempts.values()], 3);
  const outcomes = ended.map((attempt) =>
    toOutcome(someEnding(world, attempt), attempt.claim as Claim, definition),
  );
  return await recordThem(world, worker, outcomes);
};

function someEnding({ random }: World, { claim }: Attempt): Ending {
  const name = random.weighted([
    ['succeeded', 10],
    ['failed', 5],
    ['snoozed', 2],
    ['drained', 2],
    ['cancelled', 1],
    ['crashed', claim.crashes >= QUARANTINED_FROM ? 5 : 0],
  ]);
  if (name === 'succeeded') return { kind: 'succeeded', output: null };
  if (name === 'snoozed') return { kind: 'snoozed', delayMs: random.int(0, 5_000) };
  if (name === 'drained') return { kind: 'drained', handlerEnded: true };
  if (name === 'cancelled') return { kind: 'cancelled', message: undefined };
  return { kind: name ?? 'failed', message: 'it fails' };
}

export async function recordThem(
  world: World,
  worker: Worker,
  outcomes: readonly Outcome[],
): Promise<string> {
  const { sql, model } = world;
  startThem(
    world,
    worker,
    outcomes.filter(({ act }) => act !== 'handBack').map(({ id }) => id),
  );
  let left = outcomes;
  // An outcome that is refused restores its claim, which a crash of Postgres may have undone, and is recorded once more.
  for (const isAgain of [false, true]) {
    if (isAgain && left.length > 0) await restoreThese(world, worker, left);
    const states = await recordOutcomes(sql, left, worker.owners);
    for (const outcome of left) {
      const { id, act } = outcome;
      expectSame(
        `record ${act} of job ${id}`,
        states.get(id)?.state ?? null,
        model.record(toModelOutcome(outcome), worker.owners) ?? null,
      );
    }
    for (const { id, act } of left) if (act === 'complete' && states.has(id)) world.completed.add(id);
    left = left.filter(({ id }) => !states.has(id));
    if (left.length === 0) break;
  }
  world.sent = [...world.sent.slice(-MOST_SENT), { worker, outcomes }];
  const isAccepted = (id: string) => !left.some((outcome) => outcome.id === id);
  for (const { id, act } of outcomes)
    release(world, worker, { id, isHandedBack: act === 'handBack' && isAccepted(id) });
  const told = outcomes.map(({ id, act }) => `${act} ${id}${isAccepted(id) ? '' : ' (refused)'}`);
  return `worker ${ownerOf(worker)} records ${told.join(', ')}`;
}

/** An outcome that was sent before comes once more: its worker has not heard the answer, or stood still in between. */
export const recordAgain: Step = async (world) => {
  const { random, sql, model } = world;
  const again = random.pick(world.sent);
  if (again === undefined) return undefined;
  const { worker, outcomes } = again;
  const states = await recordOutcomes(sql, outcomes, worker.owners);
  const late = outcomes.map(({ id, act }) => `${act} ${id}`).join(', ');
  for (const outcome of outcomes) {
    const told = model.record(toModelOutcome(outcome), worker.owners) ?? null;
    expectSame(
      `record ${outcome.act} of job ${outcome.id} again`,
      states.get(outcome.id)?.state ?? null,
      told,
    );
    expectThat(told === null, `job ${outcome.id}: an outcome was accepted twice`);
  }
  return `worker ${ownerOf(worker)} records ${late} again`;
};

function toModelOutcome({ id, fence, act, delayMs, error }: Outcome): ModelOutcome {
  return { id, fence, act, hasError: error !== undefined, ...(delayMs === undefined ? {} : { delayMs }) };
}

async function restoreThese(
  { sql, model }: World,
  worker: Worker,
  outcomes: readonly Outcome[],
): Promise<void> {
  const claims = outcomes.flatMap(({ id }) => worker.attempts.get(id)?.claim ?? []);
  const inForce = await restoreClaims(sql, claims, worker.owners);
  expectSameSet(
    'claims in force',
    inForce.map(({ id, isRestored }) => `${id} ${isRestored}`),
    model.restore(claims, worker.owners).map(({ id, isRestored }) => `${id} ${isRestored}`),
  );
}

/** Its message is acknowledged; that of a job handed back goes to the queue again. The worker may die in between: then it comes again. */
function release(
  world: World,
  worker: Worker,
  { id, isHandedBack }: { id: string; isHandedBack: boolean },
): void {
  const message = worker.attempts.get(id)?.message;
  worker.attempts.delete(id);
  if (message === undefined || !message.ids.has(id)) return;
  if (isHandedBack) {
    world.messages.push({ queue: message.queue, ids: new Set([id]), holder: undefined });
    world.settle(message, id);
  } else if (world.random.chance(0.9)) world.settle(message, id);
  else message.holder = undefined;
}
