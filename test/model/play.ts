// A run of the model test: so many steps of a seed on a database of its own. On a difference it leaves out what is not needed for it, and tells the rest.
import { setTimeout as delay } from 'node:timers/promises';
import { app } from '../../examples/shop/app.ts';
import { createThrowawayDatabase } from '../../src/shared/postgres/throwaway-database.ts';
import { connectToClock, installClock, setClock } from './clock.ts';
import { Difference } from './difference.ts';
import { checkInvariants } from './invariants.ts';
import { Random } from './random.ts';
import { settle } from './settle.ts';
import { steps } from './steps.ts';
import { types, World } from './world.ts';

const START = Date.parse('2030-01-01T00:00:00Z');
const COMPARE_ALL_EVERY = 100;
const SETTLE_EVERY = 1_000;
/** Draws of a step that finds something to do. */
const MOST_DRAWS = 20;
const LINES_KEPT = 20_000;
const LINES_TOLD = 30;
/** What leaving out steps may take. */
const SHRINK_MS = 30_000;

export interface Run {
  databaseUrl: string;
  seed: number;
  steps: number;
  log?: (line: string) => void;
}

interface Failure {
  difference: Difference;
  step: number;
  lines: string[];
}

/** Resolves with how often each step was taken. Throws `Difference`, with all that repeats it. */
export async function play({ databaseUrl, seed, steps: count, log }: Run): Promise<Map<string, number>> {
  await using database = await createThrowawayDatabase(databaseUrl, app);
  await installClock(database.url);
  const taken = new Map<string, number>();
  const numbers = Array.from({ length: count }, (_, index) => index);
  const failure = await attempt({ url: database.url, seed, numbers, taken, log });
  if (failure === undefined) return taken;
  const shortest = await shrink({
    url: database.url,
    seed,
    failure,
    numbers: numbers.slice(0, failure.step + 1),
  });
  throw new Difference(
    [
      `seed ${seed}, step ${failure.step}: ${failure.difference.message}`,
      `with ${shortest.lines.length} steps of these: ${shortest.difference.message}`,
      ...linesOf(shortest).map((line) => `  ${line}`),
      `again: npm run model -- --seed ${seed} --steps ${failure.step + 1}`,
    ].join('\n'),
    { cause: shortest.difference },
  );
}

/** The last steps, and those before that name the job. */
function linesOf({ difference, lines }: Failure): string[] {
  const id = /job (\d+)/.exec(difference.message)?.[1];
  const names = new RegExp(`\\b${id ?? 'none'}\\b`);
  return lines.filter(
    (line, index) => index >= lines.length - LINES_TOLD || names.test(line.replace(/^\d+:/, '')),
  );
}

interface Part {
  url: string;
  seed: number;
  /** Which steps of the seed are taken. */
  numbers: readonly number[];
  taken?: Map<string, number>;
  log?: ((line: string) => void) | undefined;
}

/** Plays these steps in an empty database. */
async function attempt({ url, seed, numbers, taken, log }: Part): Promise<Failure | undefined> {
  const [sql, locks] = [connectToClock(url), connectToClock(url)];
  const lines: string[] = [];
  let step = 0;
  try {
    await setClock(sql, START);
    await sql`truncate warren.passes, warren.gates, warren.limits, warren.jobs, warren.workers, warren.queues, warren.job_types, warren.idempotency_keys restart identity`;
    for (const type of types)
      await sql`insert into warren.job_types (name, app, queue, max_attempts) values (${type}, 'model', 'default', 3)`;
    await sql`insert into warren.claims_open default values on conflict do nothing`;
    await sql`select setseed(${(seed % 1_000) / 1_000})`; // the relay goes through the types in an order of chance
    const world = new World({ sql, locks, now: START, random: new Random(seed) });
    for (step of numbers) {
      world.random = new Random(seed, step);
      lines.push(`${step}: ${await takeStep(world, taken)}`);
      if (lines.length > 2 * LINES_KEPT) lines.splice(0, LINES_KEPT);
      await world.comparison.changes();
      checkInvariants(world);
      if (step % COMPARE_ALL_EVERY === COMPARE_ALL_EVERY - 1) await world.comparison.everything();
      if (step % SETTLE_EVERY === SETTLE_EVERY - 1) {
        lines.push(`${step}: settle`);
        await settle(world);
      }
      if (step % 10_000 === 9_999) log?.(`${step + 1} steps`);
    }
    await settle(world);
    await world.comparison.everything();
    return undefined;
  } catch (error) {
    if (!(error instanceof Difference))
      throw new Error(`seed ${seed}, step ${step}: ${lines.at(-1)}`, { cause: error });
    return { difference: error, step, lines };
  } finally {
    await Promise.all([sql.end({ timeout: 5 }), locks.end({ timeout: 5 })]);
  }
}

async function takeStep(world: World, taken: Map<string, number> | undefined): Promise<string> {
  for (let draw = 0; draw < MOST_DRAWS; draw += 1) {
    const name = world.random.weighted(steps.map((step) => [step.name, step.weight] as const));
    const chosen = steps.find((step) => step.name === name);
    if (chosen === undefined) break;
    const undoable = world.undoable;
    const told = await chosen.step(world).catch((error: unknown) => {
      if (error instanceof Difference) error.message = `${chosen.name}: ${error.message}`;
      throw error;
    });
    if (told === undefined) continue;
    if (world.undoable === undoable) world.undoable = []; // it has committed something, and waited for the disk
    taken?.set(chosen.name, (taken.get(chosen.name) ?? 0) + 1);
    return told;
  }
  return 'nothing to do';
}

/** Leaves out ever smaller parts as long as a difference remains. */
async function shrink({ url, seed, failure, numbers }: Part & { failure: Failure }): Promise<Failure> {
  const deadline = performance.now() + SHRINK_MS;
  let [shortest, left] = [failure, numbers];
  for (let size = Math.ceil(left.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let start = 0; start < left.length && performance.now() < deadline; ) {
      const fewer = [...left.slice(0, start), ...left.slice(start + size)];
      const failed = await attempt({ url, seed, numbers: fewer }).catch(() => undefined);
      if (failed === undefined) start += size;
      else [shortest, left] = [failed, fewer.filter((number) => number <= failed.step)];
    }
    await delay(0);
  }
  return shortest;
}
