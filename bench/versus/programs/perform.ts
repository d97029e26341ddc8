// The handler, the same for every contender: it notes its start, waits or spins or returns at once, and notes its end.
// VERSUS_BOOK names the folder of its notes; VERSUS_NOTES is `runs` (every start and end, for faults) or `tally` (a counter, for speed).
import { setTimeout as delay } from 'node:timers/promises';
import type { Work } from '../contender.ts';
import { EffectWriter } from './effect-book.ts';
import { TallyWriter } from './tally.ts';

export function createPerform(environment: NodeJS.ProcessEnv): (work: Work) => Promise<void> {
  const { VERSUS_BOOK: folder, VERSUS_NOTES: notes } = environment;
  if (folder === undefined) throw new Error('VERSUS_BOOK names the folder of the notes');
  return notes === 'tally'
    ? performAndCount(new TallyWriter(folder))
    : performAndNote(new EffectWriter(folder));
}

function performAndNote(book: EffectWriter): (work: Work) => Promise<void> {
  return async ({ key, ms, spin = false }) => {
    const end = book.start(key);
    if (spin) blockEventLoop(ms);
    else await delay(ms);
    end();
  };
}

function performAndCount(tally: TallyWriter): (work: Work) => Promise<void> {
  return async ({ ms }) => {
    tally.start();
    if (ms > 0) await delay(ms);
    tally.end();
  };
}

function blockEventLoop(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}
