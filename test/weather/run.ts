// `npm run example:weather-kills`: test/system/example-weather.test.ts with more reports and kills than `npm test` plays.
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { readCommandLine } from '../../dev/command-line.ts';
import { readEnvironment } from '../../dev/environment.ts';

const { reports, kills } = readCommandLine({
  name: 'npm run example:weather-kills',
  about: 'Counts the reports of the example weather while its reader, worker and gateway are killed.',
  flags: {
    reports: { value: 'NUMBER', default: '20000', meaning: 'how many: hundreds for each kill' },
    kills: { value: 'NUMBER', default: '10', meaning: 'how often each of the three is killed' },
  },
});
const root = resolve(import.meta.dirname, '../..');
const { status } = spawnSync(
  process.execPath,
  ['node_modules/vitest/vitest.mjs', 'run', '--project', 'system', 'test/system/example-weather.test.ts'],
  {
    cwd: root,
    stdio: 'inherit',
    env: { ...readEnvironment().inherited, WEATHER_REPORTS: reports, WEATHER_KILLS: kills },
  },
);
process.exitCode = status ?? 1;
