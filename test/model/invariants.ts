// What holds after every step, whatever the model says: the invariants of ARCHITECTURE.md, on the jobs as they are.
import { expectThat } from './difference.ts';
import type { ModelJob } from './model.ts';
import { hasEnded } from './model.ts';
import type { World } from './world.ts';

/** The model's jobs were compared with the rows before. */
export function checkInvariants(world: World): void {
  const messages = new Set(world.messages.flatMap(({ ids }) => [...ids]));
  const keys = new Set<string>();
  world.turn += 1;
  for (const job of world.model.jobs.values()) {
    const { id, state, fence, uniqueKey, type } = job;
    if (state !== 'held') world.heldSince.delete(id);
    else if (!world.heldSince.has(id)) world.heldSince.set(id, world.turn);
    expectThat(fence >= (world.fences.get(id) ?? 0), `job ${id}: its fence fell to ${fence}`);
    world.fences.set(id, fence);
    expectThat(
      !world.completed.has(id) || state === 'completed',
      `job ${id}: was completed, and is ${state}`,
    );
    expectThat(
      chargedOf(world, job) <= (world.starts.get(id) ?? 0),
      `job ${id}: is charged ${chargedOf(world, job)} attempts, and ${world.starts.get(id) ?? 0} handlers have started`,
    );
    if (hasEnded(job)) continue;
    expectThat(
      state !== 'available' || job.publishedAt === null || messages.has(id) || world.lost.has(id),
      `job ${id}: counts as published, and the broker has no message of it`,
    );
    if (uniqueKey === null) continue;
    expectThat(!keys.has(`${type} ${uniqueKey}`), `job ${id}: is not the only live one of its unique key`);
    keys.add(`${type} ${uniqueKey}`);
  }
}

/** The attempts that count already: the one that runs may be taken back while its handler has not started. */
function chargedOf(world: World, { id, state, attempt, fence, owner }: ModelJob): number {
  if (state !== 'running') return attempt;
  const holder = world.workers.find(({ owners }) => owners.includes(owner ?? ''));
  const current = holder?.attempts.get(id);
  return current?.claim.fence === fence && current.hasStarted ? attempt : attempt - 1;
}
