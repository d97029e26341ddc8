// `npm run check`: format, lint and types, all of them in any case, with one line about what mends the first two.
import { spawnSync } from 'node:child_process';

import { readCommandLine } from './command-line.ts';

readCommandLine({
  name: 'npm run check',
  about: 'Checks format, lint and types; changes nothing.',
  flags: {},
});
const passes = (command: string, ...args: string[]) =>
  spawnSync(command, args, { stdio: 'inherit' }).status === 0;

const isTidy = passes('biome', 'ci', '--error-on-warnings', '.');
if (!isTidy) console.error('`npm run fix` mends the format, and what else can be mended without a person.');
const isTyped = passes('tsc');
process.exitCode = isTidy && isTyped ? 0 : 1;
