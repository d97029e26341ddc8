// The source tree that a run starts its programs from: a copy, so that nobody's edit changes the code between two restarts of one row.
// A negative control is such a copy with one guard switched off.
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { folder, root } from './servers.ts';

/** One guard switched off: `from` must occur exactly once in `file` (from src/). */
export interface Mutation {
  name: string;
  file: string;
  from: string;
  to: string;
}

/** Returns the folder that stands for src/. */
export function copySource(mutation?: Mutation): string {
  const copy = join(folder, 'source', mutation?.name ?? 'product');
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(copy, { recursive: true });
  cpSync(join(root, 'package.json'), join(copy, 'package.json'));
  cpSync(join(root, 'src'), join(copy, 'src'), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  if (mutation !== undefined) mutate(join(copy, 'src', mutation.file), mutation);
  return join(copy, 'src');
}

function mutate(path: string, { name, from, to }: Mutation): void {
  const text = readFileSync(path, 'utf8');
  if (text.split(from).length !== 2) throw new Error(`control ${name}: its guard is not there exactly once`);
  writeFileSync(
    path,
    text.replace(from, () => to),
  );
}
