// `npm run model`: random sequences of everything that happens to jobs, on a real Postgres and in the model of model.ts. `--steps` how many, `--seed` to
// repeat a run. DATABASE_URL names a server to use; without it one is started. Exit code 1 on a difference.
import { resolve } from 'node:path';
import { readCommandLine } from '../../dev/command-line.ts';
import { startServices } from '../../dev/services.ts';
import { Difference } from './difference.ts';
import { play } from './play.ts';

const options = readCommandLine({
  name: 'npm run model',
  about:
    'Plays random sequences of everything that happens to jobs, on a real Postgres and in a simple model, and ends at the first difference, with exit code 1.',
  flags: {
    steps: { value: '1000000', default: '100000', meaning: 'how many steps' },
    seed: { value: '12', meaning: 'repeats the run of this seed; drawn by chance without it' },
  },
});
const log = (line: string) => process.stderr.write(`${line}\n`);
const seed = Number(options.seed ?? Math.floor(Math.random() * 2 ** 31));
const count = Number(options.steps);
log(`seed ${seed}`);

const given = process.env['DATABASE_URL'];
const services =
  given === undefined
    ? await startServices({
        folder: resolve(import.meta.dirname, '../../.services/model'),
        keepData: false,
        log,
        signal: new AbortController().signal,
      })
    : undefined;
try {
  const databaseUrl = given ?? services?.databaseUrl ?? '';
  const startedAt = performance.now();
  const taken = await play({ databaseUrl, seed, steps: count, log });
  const seconds = (performance.now() - startedAt) / 1_000;
  for (const [name, times] of [...taken].toSorted(([, one], [, other]) => other - one))
    log(`  ${name} ${times}`);
  log(`${count} steps without a difference, in ${seconds.toFixed(0)} s`);
} catch (error) {
  log(error instanceof Error ? error.message : String(error));
  if (error instanceof Error && !(error instanceof Difference)) log(String(error.cause));
  process.exitCode = 1;
} finally {
  await services?.stop();
}
