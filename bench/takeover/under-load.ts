// A fleet at work loses a worker, again and again: four workers of 100 slots, 120 jobs of 2 s per second, so that some 60 run in each.
// Starts and ends are what the handlers wrote, completions what the database committed: the books of the fault rows.
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Figures } from '../../test/faults/books/checker.ts';
import { checkBooks } from '../../test/faults/books/checker.ts';
import { readEffectBook, readEffectsOf } from '../../test/faults/books/effect-book.ts';
import { readSubmitBook } from '../../test/faults/books/submit-book.ts';
import { FaultStage } from '../../test/faults/stage/fault-stage.ts';
import { Load } from '../../test/faults/stage/load.ts';
import { seededRandom } from '../../test/faults/stage/random.ts';
import type { FaultServers } from '../../test/faults/stage/servers.ts';
import { root } from '../stage/warren.ts';

export const WORKERS = 4;
export const SLOTS = 100;
export const PER_SECOND = 120;
export const JOB_MS = 2_000;
/** The load goes on to its end however long the workers take to come back. */
const SECONDS_PER_KILL = 15;
/** Until the fleet runs as many jobs as it will, and until it does so again with the worker that is back. */
const SETTLE_MS = 4_000;
/** How long a killed worker stays away: its orphans run elsewhere. */
const AWAY_MS = 2_000;

export interface UnderLoad {
  /** As it was given. */
  checkout: string;
  kills: number;
  /** Jobs that ran in killed processes. */
  orphans: number;
  figures: Figures;
}

export interface UnderLoadOptions {
  servers: FaultServers;
  /** The folder of the Warren that is measured, from the root of this one. */
  checkout: string;
  kills: number;
  log: (line: string) => void;
}

export async function playUnderLoad({ servers, checkout, kills, log }: UnderLoadOptions): Promise<UnderLoad> {
  const stage = await FaultStage.open({
    name: 'takeover_under_load',
    source: resolve(root, checkout, 'src'),
    servers,
    workers: WORKERS,
    workerQueues: `default:5:${SLOTS / 5}`,
  });
  const load = new Load({
    urls: stage.apis.map(({ url }) => url),
    book: stage.submits,
    random: seededRandom(1),
  });
  try {
    await stage.start();
    const seconds = kills * SECONDS_PER_KILL;
    const loaded = load.steady({ perSecond: PER_SECOND, seconds, ms: JOB_MS, queue: 'default' });
    let orphans = 0;
    for (let kill = 0; kill < kills; kill += 1) {
      await delay(SETTLE_MS);
      orphans += await killOne(stage, kill);
      log(`kill ${kill + 1} of ${kills}: ${orphans} orphans so far`);
    }
    load.giveUp();
    await loaded;
    const left = await stage.drain();
    if (left > 0) log(`${left} jobs have not ended`);
    return { checkout, kills, orphans, figures: await readFigures(stage) };
  } finally {
    load.giveUp();
    await stage.close();
  }
}

/** Kills a worker and starts it again. Returns how many jobs ran in it. */
async function killOne(stage: FaultStage, kill: number): Promise<number> {
  const victim = stage.workers[kill % WORKERS];
  if (victim === undefined) throw new Error('there is no worker');
  const { pid } = victim;
  await victim.end('SIGKILL');
  const orphans = readEffectsOf(stage.bookFolder, pid).filter(({ endedAt }) => endedAt === undefined).length;
  await delay(AWAY_MS);
  await victim.start();
  await stage.ready([victim]);
  return orphans;
}

async function readFigures(stage: FaultStage): Promise<Figures> {
  const lives = stage.members.flatMap((member) => member.lives);
  return checkBooks({
    submits: readSubmitBook(join(stage.bookFolder, 'submits.jsonl')),
    runs: readEffectBook(stage.bookFolder),
    jobs: await stage.finalJobs(),
    acceptances: await stage.acceptances(),
    ends: new Map(lives.flatMap(({ pid, endedAt }) => (endedAt === undefined ? [] : [[pid, endedAt]]))),
  });
}
