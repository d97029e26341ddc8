// `npm start -- --watch`: every change below src/ stops the programs in good order and starts them again.
// Changes that come together make one round: an editor writes a file in several steps, a checkout writes many.
import { watch } from 'node:fs';
import { resolve } from 'node:path';

import type { Programs } from './programs.ts';

const sources = resolve(import.meta.dirname, '../../src');
const settleMs = 200;

export function watchSources(programs: Pick<Programs, 'replaceAll'>, stopping: AbortSignal): Disposable {
  let timer: NodeJS.Timeout | undefined;
  let round = Promise.resolve();
  const watcher = watch(sources, { recursive: true, signal: stopping }, () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      round = round.then(async () => {
        if (!stopping.aborted) await programs.replaceAll();
      });
    }, settleMs);
  });
  return {
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      watcher.close();
    },
  };
}
