// The rounds of the benchmark: every contender in turn, in another order each time, a short and a long run each.
import { serverParticipants } from '../stage/processor-time.ts';
import { rotate } from '../stage/rotate.ts';
import type { Place, Stage, Started } from '../stage/stage.ts';
import type { Contender, ContenderName } from './contenders.ts';
import { contenders, startWorker } from './contenders.ts';
import type { LoadGenerator } from './load.ts';
import type { Run } from './measure.ts';
import { measure } from './measure.ts';
import type { Settlement } from './settlement.ts';

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

export type Results = ReadonlyMap<ContenderName, ContenderResult>;

interface Round extends PlayOptions {
  stage: Stage;
  place: Place;
  /** By the contender's file. */
  servers: ReadonlyMap<string, Started>;
  load: LoadGenerator;
  settlement: Settlement;
  log: (line: string) => void;
}

/** Unrecorded short runs of each contender before the first round, until the compilers have settled. */
const WARM_UPS = 4;
/** A long run during which others took more of the processors than that is played again, so often: on a shared machine there may be no quiet. */
const MAX_OTHERS_SHARE = 0.08;
const MAX_TRIES = 2;

export async function playRounds(options: Round): Promise<Results> {
  const results = new Map(contenders.map(({ name }) => [name, { short: [] as Run[], long: [] as Run[] }]));
  const longRuns = new Map<ContenderName, number>();
  const { requests, seconds } = options;
  for (const contender of contenders) {
    const runs = await playTurn(
      options,
      contender,
      Array.from({ length: WARM_UPS }, () => requests),
    );
    longRuns.set(contender.name, Math.round((runs.at(-1)?.perSecond ?? 0) * seconds));
  }
  for (let round = 0; round < options.rounds; round += 1) {
    for (const contender of rotate(contenders, round)) {
      const counts = [requests, longRuns.get(contender.name) ?? 0] as const;
      const { short, long } = await playQuietTurn(options, contender, counts);
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
  contender: Contender,
  counts: readonly [number, number],
): Promise<{ short: Run; long: Run }> {
  for (let tries = 1; ; tries += 1) {
    const [short, long] = await playTurn(options, contender, counts);
    if (short === undefined || long === undefined) throw new Error('a turn is two runs');
    if (long.othersShare <= MAX_OTHERS_SHARE || tries === MAX_TRIES) return { short, long };
    const share = Math.round(long.othersShare * 100);
    options.log(`others took ${share} % of the processors: ${contender.title} once more`);
  }
}

/** The worker lives for its turn alone: it would take the jobs of the others. Its first jobs meet a cold worker. */
async function playTurn(options: Round, contender: Contender, counts: readonly number[]): Promise<Run[]> {
  const { stage, place, servers, load, settlement, connections } = options;
  const server = servers.get(contender.file);
  if (server === undefined) throw new Error(`${contender.name} has no server`);
  const worker = contender.worker ? await startWorker(stage, place) : undefined;
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
