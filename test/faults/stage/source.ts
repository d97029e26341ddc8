// The source tree that a run starts its programs from: a copy, so that nobody's edit changes the code between two restarts of one row.
// A negative control is such a copy with one guard switched off.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { folder, root } from './servers.ts';

/** One guard switched off in `file` (from src/): each `from` must occur there exactly once. */
export interface Mutation {
  name: string;
  file: string;
  changes: readonly { from: string; to: string }[];
}

export interface Source {
  /** The folder that stands for src/. */
  folder: string;
  commit: string;
  /** Whether src/ differed from the commit when it was copied. */
  isSourceChanged: boolean;
}

/** `isCommitted`: the last commit instead of the working tree. */
export function copySource({ mutation, isCommitted }: { mutation?: Mutation; isCommitted: boolean }): Source {
  const copy = join(folder, 'source', mutation?.name ?? 'product');
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(copy, { recursive: true });
  if (isCommitted) {
    execFileSync('sh', ['-c', 'git archive HEAD src examples package.json | tar -x -C "$1"', 'sh', copy], {
      cwd: root,
    });
  } else {
    cpSync(join(root, 'package.json'), join(copy, 'package.json'));
    for (const folder of ['src', 'examples'])
      cpSync(join(root, folder), join(copy, folder), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  if (mutation !== undefined) mutate(join(copy, 'src', mutation.file), mutation);
  return {
    folder: join(copy, 'src'),
    commit: askGit('rev-parse', '--short=12', 'HEAD') ?? 'no commit',
    isSourceChanged: !isCommitted && askGit('status', '--porcelain', '--', 'src') !== '',
  };
}

/** Undefined where this is no clone, or there is no git. */
function askGit(...args: string[]): string | undefined {
  try {
    return execFileSync('git', args, {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return undefined; // an exported tree can be played as well
  }
}

function mutate(path: string, { name, changes }: Mutation): void {
  let text = readFileSync(path, 'utf8');
  for (const { from, to } of changes) {
    if (text.split(from).length !== 2)
      throw new Error(`control ${name}: its guard is not there exactly once`);
    text = text.replace(from, () => to);
  }
  writeFileSync(path, text);
}
