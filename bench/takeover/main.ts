// `npm run bench:takeover`: from `kill -9` of a worker to the next start of its orphans, in two parts.
// `load`: a fleet at work, killed again and again. `versus`: beside the alternatives, at rest; that part alone installs their packages.
// `--part load` plays one of them. `--kills 3` makes a smaller run of `load`, `--checkout ../older,.` plays it with other checkouts of Warren
// in turn, to compare them; neither is kept.
import { spawnSync } from 'node:child_process';
import { startFaultServers } from '../../test/faults/stage/servers.ts';
import { collectFacts } from '../report/facts.ts';
import { renderReport } from '../report/markdown.ts';
import { writeReport } from '../report/results.ts';
import { areDefaults, readOptions } from '../stage/command-line.ts';
import { othersShare, readMachineTime } from '../stage/processor-time.ts';
import { root } from '../stage/warren.ts';
import { playUnderLoad } from './under-load.ts';
import { describeUnderLoad } from './under-load-page.ts';

const defaults = { part: 'load,versus', kills: '12', checkout: '.' };
const options = readOptions({
  name: 'npm run bench:takeover',
  about: 'Measures from `kill -9` of a worker to the next start of its jobs elsewhere.',
  defaults,
  meanings: {
    part: 'load (a fleet at work), versus (beside the alternatives, at rest), or both',
    kills: 'how often a worker is killed under load; another number than this keeps no results',
    checkout: 'checkouts of Warren to compare, separated by commas; another one than this keeps no results',
  },
});
const parts = options.part.split(',');
for (const part of parts) {
  if (part === 'load') await measureUnderLoad();
  else if (part === 'versus') measureVersus();
  else throw new Error(`there is no part "${part}"; there are load and versus`);
}
process.exit();

async function measureUnderLoad(): Promise<void> {
  const log = (line: string) => process.stderr.write(`${line}\n`);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
  const servers = await startFaultServers(log);
  try {
    const facts = await collectFacts({ servers: servers.services });
    const before = readMachineTime();
    const results = [];
    for (const checkout of options.checkout.split(',')) {
      log(`${checkout} …`);
      results.push(await playUnderLoad({ servers, checkout, kills: Number(options.kills), log }));
    }
    const report = describeUnderLoad({ results, facts, othersShare: othersShare(before, readMachineTime()) });
    const isKept = areDefaults({ ...options, part: defaults.part }, defaults);
    process.stdout.write(isKept ? writeReport(report) : renderReport(report));
  } finally {
    await servers.stop();
  }
}

/** A process of its own: what it imports is installed only then. */
function measureVersus(): void {
  for (const args of [['dev/install.mjs', 'bench/versus'], ['bench/versus/takeover/main.ts']]) {
    const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
    if (status !== 0) process.exit(status ?? 1);
  }
}
