// `npm run faults:versus`: the core faults on every contender, all at the same time, each with the settings that its documentation recommends.
// Writes bench/results/faults-versus.{json,md} and prints the page. `--scenario kill,broker` and `--contender warren,pg-boss` play a part and keep
// nothing. Exit code 1 where a fault took no effect or Warren broke a promise.
import { readCommandLine } from '../../../dev/command-line.ts';
import { collectFacts } from '../../report/facts.ts';
import { renderReport } from '../../report/markdown.ts';
import type { Bar, Report } from '../../report/report.ts';
import { holds } from '../../report/report.ts';
import { writeReport } from '../../report/results.ts';
import { runOnStage } from '../../stage/command-line.ts';
import type { Stage } from '../../stage/stage.ts';
import type { Contender, Places } from '../contender.ts';
import { ContenderFleet } from '../contender-fleet.ts';
import { contenderNames, findContender } from '../contenders.ts';
import { VersusServers } from '../servers/servers.ts';
import { readVersions } from '../servers/versions.ts';
import { Act } from './act.ts';
import { FaultyServers } from './faulty-servers.ts';
import { kill } from './kill.ts';
import { brokerOutage, databaseOutage } from './outage.ts';
import { blocked, stopped } from './pause.ts';
import type { Result } from './result.ts';
import { concludeAct } from './result.ts';
import type { Scenario } from './scenario.ts';
import { playEach } from './scenario.ts';
import { overviewTable, scenarioSection } from './tables.ts';

type Log = (line: string) => void;

const allScenarios: readonly Scenario[] = [kill, brokerOutage, databaseOutage, stopped, blocked];
/** Programs that start at the same moment, so that two cores can. */
const BEGIN_AT_ONCE = 2;
const MAX_TAKEOVER_MS = 250;

const options = readCommandLine({
  name: 'npm run faults:versus',
  about: 'Plays faults against Warren and other job queues. Results are kept where no option is given.',
  flags: {
    scenario: { value: 'NAME', meaning: `one of ${allScenarios.map(({ name }) => name).join(', ')}` },
    contender: { value: 'NAME', meaning: `one of ${contenderNames.join(', ')}` },
  },
});
const scenarios = choose(allScenarios, ({ name }) => name, options.scenario);
const contenders = await Promise.all(
  choose(contenderNames, (name) => name, options.contender).map((name) => findContender(name)),
);
const isWhole = options.scenario === undefined && options.contender === undefined;

await runOnStage('versus', async (stage, log) => {
  await using servers = await VersusServers.start(stage, log);
  const report = await compare(servers, log);
  process.stdout.write(isWhole ? writeReport(report) : renderReport(report));
  const isVoid = (report.data as Result[]).some((result) => result.isVoid || result.error !== undefined);
  if (isVoid || !report.bars.every(holds)) process.exitCode = 1;
});
process.exit();

async function compare(given: VersusServers, log: Log): Promise<Report> {
  const { stage } = given;
  const faulty = new FaultyServers(given);
  const places = new Map<string, Places>();
  for (const contender of contenders) places.set(contender.name, await given.placesOf(contender));
  const results: Result[] = [];
  for (const scenario of scenarios)
    results.push(...(await playScenario(scenario, { stage, faulty, places, log })));
  const facts = await collectFacts({
    servers: stage.services,
    versions: await readVersions(given),
    durability: Object.fromEntries(contenders.map(({ title, durability }) => [title, durability])),
  });
  faulty.kill();
  return {
    name: 'faults-versus',
    title: 'Faults, side by side',
    command: 'npm run faults:versus',
    facts,
    notes: describeMethod(),
    bars: warrenBars(results),
    sections: [
      { title: 'All scenarios', table: overviewTable({ contenders, results }) },
      ...scenarios.map((scenario) => scenarioSection(scenario, { contenders, results })),
    ],
    data: results,
  };
}

interface Play {
  stage: Stage;
  faulty: FaultyServers;
  places: ReadonlyMap<string, Places>;
  log: Log;
}

async function playScenario(scenario: Scenario, { stage, faulty, places, log }: Play): Promise<Result[]> {
  const { servers: wanted } = scenario;
  const taking = contenders.filter(
    (contender) => wanted === undefined || contender.servers.some((server) => wanted.includes(server)),
  );
  log(`${scenario.title}: ${taking.map(({ name }) => name).join(', ')}`);
  const acts = taking.map((contender) =>
    createAct(scenario, { stage, contender, places: places.get(contender.name) }),
  );
  for (let first = 0; first < acts.length; first += BEGIN_AT_ONCE) {
    await playEach(acts.slice(first, first + BEGIN_AT_ONCE), (act) => act.begin());
  }
  try {
    await scenario.play(acts, faulty);
    return await Promise.all(acts.map((act) => concludeAct(scenario.name, act)));
  } finally {
    await Promise.all(acts.map(({ fleet }) => fleet.close()));
  }
}

function createAct(
  { name }: Scenario,
  { stage, contender, places }: { stage: Stage; contender: Contender; places: Places | undefined },
): Act {
  if (places === undefined) throw new Error(`${contender.name} has no database`);
  return new Act(new ContenderFleet({ stage, contender, places, scenario: name, notes: 'runs' }));
}

function warrenBars(results: readonly Result[]): Bar[] {
  const own = results.filter(({ contender }) => contender === 'warren');
  const sum = (count: (result: Result) => number) => own.reduce((total, result) => total + count(result), 0);
  const takeover = own.find(({ scenario }) => scenario === 'kill')?.figures['last takeover ms'];
  const atMost = { demand: 'at most', digits: 0 } as const;
  return [
    { ...atMost, what: 'Warren: accepted jobs lost', limit: 0, measured: sum(({ balance }) => balance.lost) },
    {
      ...atMost,
      what: 'Warren: jobs stuck at the end',
      limit: 0,
      measured: sum(({ balance }) => balance.stuck),
    },
    ...(typeof takeover === 'number'
      ? [
          {
            ...atMost,
            what: 'Warren: slowest takeover',
            limit: MAX_TAKEOVER_MS,
            measured: takeover,
            unit: 'ms',
          },
        ]
      : []),
  ];
}

function describeMethod(): string[] {
  return [
    'Each system gets an API (the same Hono handler) and two workers of ten slots, with the settings that its own documentation recommends and every time-out at its default. Handlers wait and write their starts and ends into a file of their own process; the client notes what was answered; what the system holds itself is asked at the end. Nothing here is taken from a counter of the system that is measured.',
    '**Lost**: accepted, never run to the end, and not held any more. **Stuck**: not run to the end, but still held when the observation ended. **Ended, run again**: started once more although a handler had run to its end (its completion may not have been recorded). **Two runs at once**: a second start while the first process lived.',
    'Servers are ended without warning (SIGKILL; for Postgres the immediate shutdown) and started with the data that they had. Each line ends with the proof that the fault took effect.',
    'The blocked handler begins 22 s after the workers are ready: BullMQ looks for expired locks every 30 s, and a block that begins at another moment may be over before the second look.',
  ];
}

function choose<T>(all: readonly T[], nameOf: (item: T) => string, wanted: string | undefined): T[] {
  const names = wanted?.split(',');
  return all.filter((item) => names === undefined || names.includes(nameOf(item)));
}
