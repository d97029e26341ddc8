// Random sequences of everything that happens to jobs, on a real Postgres and in a model of a few hundred lines: there is no difference.
import { expect, inject, test } from 'vitest';
import { play } from './play.ts';
import { steps } from './steps.ts';

/** The same steps every time; only which of several equally old jobs the relay takes is for Postgres to say. `npm run model` draws others. */
const SEED = 12;
const STEPS = 10_000;

test('Postgres does what the model says, whatever happens in whatever order', async () => {
  const taken = await play({ databaseUrl: inject('databaseUrl'), seed: SEED, steps: STEPS });
  for (const { name } of steps)
    expect(taken.get(name) ?? 0, `the step ${name} was taken`).toBeGreaterThan(10);
});
