// The rounds of the benchmark: every contender in turn, in another order each time, a short and a long run each.
import { serverParticipants } from '../stage/processor-time.ts';
import { rotate } from '../stage/rotate.ts';
import type { Stage } from '../stage/stage.ts';
import type { Ready } from './contenders.ts';
import { startWorker } from './contenders.ts';
import type { LoadGenerator } from './load.ts';
import type { Run } from './measure.ts';
import { measure } from './measure.ts';

export interface PlayOptions {
  rounds: number;
  /** What a long run takes, about: as many requests as the contender answered in that time while it warmed up. */
  seconds: number;
  /** Of a short run. */
  requests: number;
  connections: number;
}

export interface ContenderResult {
  short: Run[];
  long: Run[];
}

/** By contender. */
export type Results = ReadonlyMap<string, ContenderResult>;

interface Round extends PlayOptions {
  stage: Stage;
  ready: readonly Ready[];
  load: LoadGenerator;
  log: (line: string) => void;
}

/** Unrecorded short runs of each contender before the first round, until the compilers have settled. */
const WARM_UPS = 4;
/** A long run during which others took more of the processors than that is played again, so often: on a shared machine there may be no quiet. */
const MAX_OTHERS_SHARE = 0.08;
const MAX_TRIES = 2;

export async function playRounds(options: Round): Promise<Results> {
  const { ready, requests, seconds } = options;
  const results = new Map(
    ready.map(({ contender: { name } }) => [name, { short: [] as Run[], long: [] as Run[] }]),
  );
  const longRuns = new Map<Ready, number>();
  for (const one of ready) {
    const runs = await playTurn(
      options,
      one,
      Array.from({ length: WARM_UPS }, () => requests),
    );
    longRuns.set(one, Math.round((runs.at(-1)?.perSecond ?? 0) * seconds));
  }
  for (let round = 0; round < options.rounds; round += 1) {
    for (const one of rotate(ready, round)) {
      const { contender } = one;
      const counts = [requests, longRuns.get(one) ?? 0] as const;
      const { short, long } = await playQuietTurn(options, one, counts);
      results.get(contender.name)?.short.push(short);
      results.get(contender.name)?.long.push(long);
      options.log(
        `round ${round + 1}: ${contender.title}, ${Math.round(long.perSecond)} requests per second`,
      );
    }
  }
  return results;
}

async function playQuietTurn(
  options: Round,
  ready: Ready,
  counts: readonly [number, number],
): Promise<{ short: Run; long: Run }> {
  for (let tries = 1; ; tries += 1) {
    const [short, long] = await playTurn(options, ready, counts);
    if (short === undefined || long === undefined) throw new Error('a turn is two runs');
    if (long.othersShare <= MAX_OTHERS_SHARE || tries === MAX_TRIES) return { short, long };
    const share = Math.round(long.othersShare * 100);
    options.log(`others took ${share} % of the processors: ${ready.contender.title} once more`);
  }
}

/** The worker lives for its turn alone: it would take the jobs of the others. Its first jobs meet a cold worker. */
async function playTurn(
  { stage, load, connections }: Round,
  { contender, ground, server }: Ready,
  counts: readonly number[],
): Promise<Run[]> {
  const { settlement } = ground;
  const worker = contender.worker ? await startWorker(stage, ground) : undefined;
  const participants = {
    server: server.process.pid,
    ...(worker === undefined ? {} : { worker: worker.process.pid }),
    ...serverParticipants(stage),
    'load generator': load.pid,
  };
  const runs: Run[] = [];
  for (const requests of counts) {
    runs.push(
      await measure(
        { load, settlement },
        { contender, url: server.url, participants, requests, connections },
      ),
    );
  }
  if (worker !== undefined) await stage.stop([worker]);
  return runs;
}
