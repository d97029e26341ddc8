// The examples of pages as a project: each block of TypeScript that begins with a file's name is that file, in a folder below this package, so that
// `warren` is found by its name.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');

export interface DocumentedProject extends Disposable {
  folder: string;
  /** Their names, in the order of the pages. */
  files: string[];
}

/** `pages`: files of `docs/` that show one project together. Throws where a block of TypeScript has no name: nobody would look at it. */
export function createDocumentedProject(...pages: readonly string[]): DocumentedProject {
  const below = join(root, '.services/test');
  mkdirSync(below, { recursive: true });
  const folder = mkdtempSync(join(below, 'documented-'));
  const files = pages.flatMap((page) => writeExamples(page, folder));
  return { folder, files, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) };
}

/** A block within a list is indented. */
function writeExamples(page: string, folder: string): string[] {
  const text = readFileSync(join(root, 'docs', page), 'utf8');
  return [...text.matchAll(/^( *)```ts\n(.*?)^\1```/gms)].map(([, indent = '', indented = '']) => {
    const block = indented.replace(new RegExp(`^${indent}`, 'gm'), '');
    const [, name] = /^\/\/ (\S+\.m?ts)\n/.exec(block) ?? [];
    if (name === undefined) throw new Error(`docs/${page} has an example without a file's name:\n${block}`);
    writeFileSync(join(folder, name), block);
    return name;
  });
}
