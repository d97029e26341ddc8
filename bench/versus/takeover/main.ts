// `npm run bench:takeover -- --part versus`: from `kill -9` of a worker to the next start of its orphans, while another worker lives and has room.
// Warren is killed many times, alone on the machine; then the others once each, all at the same time, as they wait for clocks and not for processors.
// Writes bench/results/takeover.{json,md,svg} and prints the page. `--kills` and `--watch` (seconds) make a smaller run that keeps nothing.

import { collectFacts } from '../../report/facts.ts';
import { renderReport } from '../../report/markdown.ts';
import { writeReport } from '../../report/results.ts';
import { areDefaults, readOptions, runOnStage } from '../../stage/command-line.ts';
import { ContenderFleet } from '../contender-fleet.ts';
import { contenderNames, findContender } from '../contenders.ts';
import { Act } from '../faults/act.ts';
import { killOnce } from '../faults/kill.ts';
import { playEach } from '../faults/scenario.ts';
import { VersusServers } from '../servers/servers.ts';
import { readVersions } from '../servers/versions.ts';
import type { Takeovers } from './page.ts';
import { describeTakeovers } from './page.ts';

/** As many jobs as one worker has slots, so that the one that lives has room for all. */
const OWN_SLOTS = 100;
/** All of them have their workers at the same time, and graphile-worker's a connection for each slot. */
const OTHERS_SLOTS = 20;
const RUNNING_SHARE = 0.3;
const BEGIN_AT_ONCE = 2;
/** A worker ends its jobs before it is the next victim. */
const DRAIN_MS = 30_000;

const defaults = { kills: '15', watch: '90' };
const options = readOptions({
  name: 'npm run bench:takeover',
  about:
    'Measures from `kill -9` of a worker to the next start of its jobs elsewhere. Results are kept where no option is given.',
  defaults,
  meanings: {
    kills: 'how often Warren loses a worker',
    watch: 'seconds that the others are watched after theirs',
  },
});
const kills = Number(options.kills);
const watchMs = Number(options.watch) * 1_000;
const isWhole = areDefaults(options, defaults);

await runOnStage('versus', async (stage, log) => {
  await using servers = await VersusServers.start(stage, log);
  const contenders = await Promise.all(contenderNames.map((name) => findContender(name)));
  const acts: Act[] = [];
  for (const contender of contenders) {
    const places = await servers.placesOf(contender);
    acts.push(new Act(new ContenderFleet({ stage, contender, places, scenario: 'takeover', notes: 'runs' })));
  }
  const [own, ...others] = acts;
  if (own === undefined) throw new Error('nobody takes part');
  const results = [await killManyTimes(own, log), ...(await killOnceEach(others, log))];
  const facts = await collectFacts({ servers: stage.services, versions: await readVersions(servers) });
  const report = describeTakeovers({ results, facts, watchSeconds: watchMs / 1_000 });
  process.stdout.write(isWhole ? writeReport(report) : renderReport(report));
  if (results.some(({ error }) => error !== undefined)) process.exitCode = 1;
});
process.exit();

type Log = (line: string) => void;

async function killManyTimes(act: Act, log: Log): Promise<Takeovers> {
  const result = begun(act);
  try {
    await playEach([act], async () => {
      await act.begin(OWN_SLOTS);
      for (let kill = 0; kill < kills; kill += 1) {
        await addKill(act, { result, slots: OWN_SLOTS });
        log(`${act.title}, kill ${kill + 1} of ${kills}: ${result.takeoverMs.length} takeovers so far`);
        await act.drain(DRAIN_MS);
        await act.fleet.startWorker(OWN_SLOTS);
        await act.warmUp();
      }
    });
  } finally {
    await act.fleet.close();
  }
  return { ...result, ...(act.error === undefined ? {} : { error: act.error }) };
}

async function killOnceEach(acts: readonly Act[], log: Log): Promise<Takeovers[]> {
  const results = acts.map(begun);
  try {
    for (let first = 0; first < acts.length; first += BEGIN_AT_ONCE) {
      await playEach(acts.slice(first, first + BEGIN_AT_ONCE), (act) => act.begin(OTHERS_SLOTS));
    }
    await playEach(acts, async (act, index) => {
      const result = results[index];
      if (result !== undefined) await addKill(act, { result, slots: OTHERS_SLOTS });
      log(`${act.title}: ${result?.takeoverMs.length} of ${result?.orphans} orphans taken over`);
    });
  } finally {
    await Promise.all(acts.map(({ fleet }) => fleet.close()));
  }
  return acts.map((act, index) => ({
    ...(results[index] ?? begun(act)),
    ...(act.error === undefined ? {} : { error: act.error }),
  }));
}

async function addKill(act: Act, { result, slots }: { result: Takeovers; slots: number }): Promise<void> {
  const running = slots * RUNNING_SHARE;
  const { takeovers, orphans } = await killOnce(act, { watchMs, jobs: slots, running });
  result.kills += 1;
  result.orphans += orphans;
  result.takeoverMs.push(...takeovers);
}

function begun({ fleet: { contender } }: Act): Takeovers {
  const { name, title, recovery } = contender;
  return { name, title, recovery, kills: 0, orphans: 0, takeoverMs: [] };
}
