// The effect book, as the checker reads it: which run of which job began and ended where and when.
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EffectLine } from './effect-writer.ts';

/** One run of a handler. `endedAt` is missing where its process died first, or the handler never ended. */
export interface Run {
  key: string;
  jobId: string;
  attempt: number;
  fence: number;
  pid: number;
  startedAt: number;
  endedAt?: number;
}

export function readEffectBook(folder: string): Run[] {
  return globSync('effects-*.jsonl', { cwd: folder }).flatMap((file) => readRuns(join(folder, file)));
}

/** What ran in one process; nothing where it has not begun a handler yet. */
export function readEffectsOf(folder: string, pid: number): Run[] {
  const file = join(folder, `effects-${pid}.jsonl`);
  return existsSync(file) ? readRuns(file) : [];
}

function readRuns(file: string): Run[] {
  return toRuns(parseLines(readFileSync(file, 'utf8')));
}

/** The lines of one process, in their order. */
export function toRuns(lines: readonly EffectLine[]): Run[] {
  const runs = new Map<string, Run>();
  for (const { phase, key, jobId, attempt, fence, pid, at } of lines) {
    const name = `${jobId}/${fence}`;
    const run = runs.get(name);
    if (phase === 'start')
      runs.set(run === undefined ? name : `${name}/${at}`, {
        key,
        jobId,
        attempt,
        fence,
        pid,
        startedAt: at,
      });
    else if (run !== undefined) run.endedAt = at;
  }
  return [...runs.values()];
}

/** A process that was killed may have left half a line. */
function parseLines(text: string): EffectLine[] {
  return text.split('\n').flatMap((line) => {
    if (!line.endsWith('}')) return [];
    return [JSON.parse(line) as EffectLine];
  });
}
