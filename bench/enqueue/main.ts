// `npm run bench`: the source article's run on `/api/test/:id`, 3 000 requests on 100 connections, and as many as fill 30 seconds, beside a bare
// route, the lookup alone, the naive way and an older Warren. All contenders in turn within every round, so that what disturbs the machine disturbs all.
// `--help` names the options. Results are written where none is given.
import { collectFacts } from '../report/facts.ts';
import { renderReport } from '../report/markdown.ts';
import { writeReport } from '../report/results.ts';
import { areDefaults, readOptions, runOnStage } from '../stage/command-line.ts';
import type { Stage } from '../stage/stage.ts';
import type { Warren } from '../stage/warren.ts';
import { before, importFrom, thisWarren, warrenBefore } from '../stage/warren.ts';
import type { Ground } from './contenders.ts';
import { assertSameAnswers, contenders, startServers } from './contenders.ts';
import { LoadGenerator } from './load.ts';
import { composeReport } from './page.ts';
import type { PlayOptions, Results } from './rounds.ts';
import { playRounds } from './rounds.ts';

const defaults = { rounds: '5', seconds: '6', requests: '3000', connections: '100', before: before.preset };
const options = readOptions({
  name: 'npm run bench',
  about:
    'Measures enqueueing over HTTP beside a bare route, the lookup alone, the naive way and an older Warren. Results are kept where no option is given.',
  defaults,
  meanings: {
    rounds: 'rounds, each with every contender',
    seconds: "length of a round's long run",
    requests: "requests of a round's short run",
    connections: 'connections at a time',
    before: before.meaning,
  },
});
const play: PlayOptions = {
  rounds: Number(options.rounds),
  seconds: Number(options.seconds),
  requests: Number(options.requests),
  connections: Number(options.connections),
};

await runOnStage('bench', async (stage, log) => {
  const results = await run(stage, await warrenBefore(options.before, log), log);
  const facts = await collectFacts({
    servers: stage.services,
    durability: Object.fromEntries(contenders.map(({ title, promise }) => [title, promise])),
  });
  const report = composeReport({ facts, results, play, before: options.before });
  process.stdout.write(areDefaults(options, defaults) ? writeReport(report) : renderReport(report));
});

async function run(stage: Stage, older: Warren | undefined, log: (line: string) => void): Promise<Results> {
  using load = new LoadGenerator();
  const grounds = {
    own: await openGround(stage, thisWarren, 'bench_enqueue'),
    before: older === undefined ? undefined : await openGround(stage, older, 'bench_enqueue_before'),
  };
  try {
    const ready = await startServers(stage, grounds);
    await assertSameAnswers(ready);
    for (const ground of [grounds.own, grounds.before]) await ground?.settlement.reset();
    return await playRounds({ stage, ready, load, log, ...play });
  } finally {
    for (const ground of [grounds.own, grounds.before]) await ground?.settlement[Symbol.asyncDispose]();
  }
}

async function openGround(stage: Stage, warren: Warren, name: string): Promise<Ground> {
  const place = await stage.createPlace(name, { warren, hasOrders: true });
  const { Settlement } = await importFrom<typeof import('./settlement.ts')>(
    warren,
    'bench/enqueue/settlement.ts',
  );
  return { warren, place, settlement: await Settlement.open(place) };
}
