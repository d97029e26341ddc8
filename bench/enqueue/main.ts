// `npm run bench`: the source article's run on `/api/test/:id`, 3 000 requests on 100 connections, and as many as fill 30 seconds, beside a bare
// route, the lookup alone and the naive way. All contenders in turn within every round, so that what disturbs the machine disturbs all.
// `--help` names the options. Results are written where none is given.
import { seedOrders } from '../../examples/shop/orders.ts';
import { collectFacts } from '../report/facts.ts';
import { renderReport } from '../report/markdown.ts';
import { writeReport } from '../report/results.ts';
import { areDefaults, readOptions, runOnStage } from '../stage/command-line.ts';
import type { Place, Stage } from '../stage/stage.ts';
import { assertSameAnswers, contenders, startServers } from './contenders.ts';
import { LoadGenerator } from './load.ts';
import { composeReport } from './page.ts';
import type { PlayOptions, Results } from './rounds.ts';
import { playRounds } from './rounds.ts';
import { Settlement } from './settlement.ts';

const defaults = { rounds: '5', seconds: '6', requests: '3000', connections: '100' };
const options = readOptions({
  name: 'npm run bench',
  about:
    'Measures enqueueing over HTTP beside a bare route, the lookup alone and the naive way. Results are kept where no option is given.',
  defaults,
  meanings: {
    rounds: 'rounds, each with every contender',
    seconds: "length of a round's long run",
    requests: "requests of a round's short run",
    connections: 'connections at a time',
  },
});
const play: PlayOptions = {
  rounds: Number(options.rounds),
  seconds: Number(options.seconds),
  requests: Number(options.requests),
  connections: Number(options.connections),
};

await runOnStage('bench', async (stage, log) => {
  const place = await stage.createPlace('bench_enqueue');
  await seedOrders(place);
  const results = await run(stage, place, log);
  const facts = await collectFacts({
    servers: stage.services,
    durability: Object.fromEntries(contenders.map(({ title, promise }) => [title, promise])),
  });
  const report = composeReport({ facts, results, play });
  process.stdout.write(areDefaults(options, defaults) ? writeReport(report) : renderReport(report));
});

async function run(stage: Stage, place: Place, log: (line: string) => void): Promise<Results> {
  await using settlement = await Settlement.open(place);
  using load = new LoadGenerator();
  const servers = await startServers(stage, place);
  await assertSameAnswers(servers);
  await settlement.reset();
  return await playRounds({ stage, place, servers, load, settlement, log, ...play });
}
