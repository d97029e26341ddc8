// Steps: held jobs and their gates. Which of several jobs goes first at a gate is Postgres's choice as far as nothing is promised about it; so the model
// says what every choice must keep, and that nobody is left behind a gate that is open.
import { admitJobs, findWaitedGates } from '../../src/shared/postgres/statements/admit.ts';
import { putLimit } from '../../src/shared/postgres/statements/limits.ts';
import { expectThat } from './difference.ts';
import type { Model } from './model.ts';
import type { Step } from './people-steps.ts';
import type { World } from './world.ts';
import { inOrder, limitNames } from './world.ts';

const ALL_GATES = 1_000;

export const changeLimit: Step = async ({ model, random, sql }) => {
  const [name, concurrency] = [random.one(limitNames), random.int(1, 3)];
  await putLimit(sql, name, { concurrency });
  model.limits.set(name, concurrency);
  return `limit ${name}: ${concurrency} at once`;
};

/** Whoever has inserted a held job, or ended one, asks at its gates; the gatekeeper asks at all. */
export const admit: Step = async (world) => {
  const { model, random, sql } = world;
  const job = random.pick(model.all(({ gates }) => gates.length > 0));
  if (job === undefined) return undefined;
  const isGatekeeper = random.chance(0.4);
  const gates = isGatekeeper ? await findWaitedGates(sql, '', ALL_GATES) : job.gates;
  const { jobs } = await admitJobs(sql, gates);
  const admitted = inOrder(jobs);
  const ids = admitted.map(({ id }) => id);
  for (const id of ids)
    expectThat(model.jobs.get(id)?.state === 'held', `job ${id} was let through, and is not held`);
  const keepers = new Set(ids.filter((id) => model.jobs.get(id)?.hasOrder !== 'no'));
  model.admit(ids);
  checkAdmitted(world, ids, keepers);
  if (isGatekeeper) checkNobodyIsLeft(model);
  for (const hint of admitted) world.toPublish.push([hint]);
  return `admit at ${gates.join(', ')}: ${ids.join(', ')}`;
};

/** No place was given twice, no order broken. `keepers` had their order before. */
function checkAdmitted(
  { model, heldSince }: World,
  ids: readonly string[],
  keepers: ReadonlySet<string>,
): void {
  for (const id of ids) {
    const job = model.jobs.get(id);
    if (job === undefined) continue;
    expectThat(!model.paused.has(job.queue), `job ${id} was let through while its queue is paused`);
    for (const gate of job.gates) {
      expectThat(model.roomAt(gate) >= 0, `job ${id} was let through ${gate}, which had no place`);
      if (!gate.startsWith('order:')) continue;
      const others = model.all((other) => other !== job && other.gates.includes(gate));
      const holder = others.find((other) => model.keepsOrder(other) === 'yes');
      expectThat(
        holder === undefined,
        `job ${id} was let through ${gate} while job ${holder?.id} has the order`,
      );
      if (keepers.has(id)) continue;
      const since = heldSince.get(id) ?? 0;
      const earlier = others.find(
        (other) =>
          other.state === 'held' &&
          Number(other.id) < Number(id) &&
          (heldSince.get(other.id) ?? Infinity) <= since,
      );
      expectThat(earlier === undefined, `job ${id} was let through ${gate} before job ${earlier?.id}`);
    }
  }
}

/** A held job waits at a gate that is really closed. */
function checkNobodyIsLeft(model: Model): void {
  const hasNoRoom = (gate: string) => !gate.startsWith('order:') && model.roomAt(gate) <= 0;
  for (const job of model.all(({ state }) => state === 'held')) {
    const isClosed = (gate: string) => {
      if (!gate.startsWith('order:')) return hasNoRoom(gate);
      const others = model.all((other) => other !== job && other.gates.includes(gate));
      // One that waits at a later gate has passed its order already, and keeps it.
      return others.some(
        (other) =>
          model.keepsOrder(other) !== 'no' || (other.state === 'held' && other.gates.some(hasNoRoom)),
      );
    };
    expectThat(
      model.paused.has(job.queue) || job.gates.some(isClosed),
      `job ${job.id} is held, and none of its gates (${job.gates.join(', ')}) is closed`,
    );
  }
}
