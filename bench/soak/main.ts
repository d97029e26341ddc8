// `npm run soak`: millions of jobs of every kind through a fleet that is killed again and again, with a retention so short that every job is also deleted.
// Says whether a job was lost, whether the kept counts are right, and whether tables, indexes and memory stay as large as they are.
import { startFaultServers } from '../../test/faults/stage/servers.ts';
import { collectFacts } from '../report/facts.ts';
import { renderReport } from '../report/markdown.ts';
import { holds } from '../report/report.ts';
import { writeReport } from '../report/results.ts';
import { readOptions } from '../stage/command-line.ts';
import { othersShare, readMachineTime } from '../stage/processor-time.ts';
import { describeSoak } from './page.ts';
import type { Server } from './play.ts';
import { playSoak } from './play.ts';

const defaults = {
  jobs: '2000000',
  'per-second': '500',
  'kill-every-s': '60',
  restarts: 'rabbitmq,postgres',
  minutes: '600',
  keep: 'no',
};
const options = readOptions({
  name: 'npm run soak',
  about:
    'Plays millions of jobs of every kind through a fleet that is killed again and again, with a retention of a minute, and says whether a job was lost and whether anything grows.',
  defaults,
  meanings: {
    jobs: 'how many are enqueued',
    'per-second': 'how many of them in a second, at most',
    'kill-every-s': 'seconds between two kills of a worker',
    restarts: 'the servers that are taken down once each: rabbitmq, postgres, or none',
    minutes: 'the load ends then, however many jobs it has enqueued',
    keep: 'yes: the page and its plots are written to bench/results/',
  },
});

const log = (line: string) => process.stderr.write(`${line}\n`);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
const servers = await startFaultServers(log);
try {
  const facts = await collectFacts({ servers: servers.services });
  const before = readMachineTime();
  const soak = await playSoak({
    servers,
    jobs: Number(options.jobs),
    perSecond: Number(options['per-second']),
    killEverySeconds: Number(options['kill-every-s']),
    restarts: options.restarts.split(',').filter((name): name is Server => isServer(name)),
    minutes: Number(options.minutes),
    log,
  });
  const report = describeSoak({
    soak,
    facts,
    othersShare: othersShare(before, readMachineTime()),
    command: commandOf(),
  });
  process.stdout.write(options.keep === 'yes' ? writeReport(report) : renderReport(report));
  if (!report.bars.every(holds)) process.exitCode = 1;
} finally {
  await servers.stop();
}
process.exit();

function isServer(name: string): boolean {
  if (!['rabbitmq', 'postgres', 'none'].includes(name)) throw new Error(`there is no server "${name}"`);
  return name !== 'none';
}

/** What repeats the run: the options that were not the defaults. */
function commandOf(): string {
  const given = Object.entries(defaults)
    .map(([name, preset]) => ({ name, preset, value: options[name as keyof typeof defaults] }))
    .filter(({ name, preset, value }) => value !== preset && name !== 'keep')
    .map(({ name, value }) => ` --${name} ${value}`);
  return `npm run soak${given.length === 0 ? '' : ` --${given.join('')}`}`;
}
