// A project of somebody else's in an empty folder, which installs Warren from a tarball as its README says.
// Guarantees: the repository is packed from a copy, so that its manifest stays as it is; nothing of the repository's own npm run gets into the project's.
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { runCommand } from '../../dev/command.ts';
import { HANG_MS } from './eventually.ts';

const root = resolve(import.meta.dirname, '../..');
const packed = [
  'proto',
  'src',
  'dev',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.package.json',
  'README.md',
  'LICENSE',
];

export interface Folder extends Disposable {
  path: string;
}

export function createFolder(): Folder {
  const path = mkdtempSync(join(realpathSync(tmpdir()), 'warren-project-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** What `npm pack` needs of the repository, with the repository's packages. */
export function copyRepository({ path }: Folder): string {
  const copy = join(path, 'warren');
  mkdirSync(copy);
  for (const name of packed) cpSync(join(root, name), join(copy, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

export interface ShellOptions {
  /** The folder of the `node` that is found first. Defaults to that of this process. */
  nodeFolder?: string | undefined;
  env?: Readonly<Record<string, string>>;
}

/** Runs a command line in the folder and returns what it printed. Throws, with all that was printed, where it fails. */
export async function shell(
  { path }: Pick<Folder, 'path'>,
  line: string,
  { nodeFolder = dirname(process.execPath), env = {} }: ShellOptions = {},
): Promise<string> {
  const result = await runCommand('/bin/sh', ['-c', line], {
    cwd: path,
    env: { ...outerEnvironment(), PATH: `${nodeFolder}${delimiter}${process.env['PATH']}`, ...env },
    timeoutMs: 3 * HANG_MS,
  });
  if (result.status !== 0)
    throw new Error(`${line}: exit ${result.status}\n${result.stdout}\n${result.stderr}`);
  return result.stdout;
}

/** Packages that are installed in the folder, sorted. */
export function installedPackages({ path }: Pick<Folder, 'path'>): string[] {
  const lock = JSON.parse(readFileSync(join(path, 'node_modules/.package-lock.json'), 'utf8'));
  const places = Object.keys(lock.packages);
  return [...new Set(places.map((place) => place.replace(/^.*node_modules\//, '')))].sort();
}

/** What the files of a folder take, in bytes. */
export function folderBytes(path: string): number {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((bytes, { parentPath, name }) => bytes + statSync(join(parentPath, name)).size, 0);
}

/** The one code block of a language in a section of a page. Throws where there is none. */
export function sectionBlock(page: string, heading: string, language: string): string {
  const text = readFileSync(join(root, page), 'utf8');
  const section = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  for (const [, found, block = ''] of section.matchAll(/^```(\w+)\n(.*?)^```/gms))
    if (found === language) return block;
  throw new Error(`${page} has no block of ${language} in "${heading}"`);
}

/** Of npm's own variables only where packages come from: the others are about the run that this test is part of. */
function outerEnvironment(): Record<string, string> {
  const mayStay = /^npm_config_(registry|cache|userconfig|globalconfig|.*proxy|cafile|noproxy)$/i;
  return Object.fromEntries(
    Object.entries(process.env).filter(
      (entry): entry is [string, string] =>
        entry[1] !== undefined && (!/^(npm_|INIT_CWD)/i.test(entry[0]) || mayStay.test(entry[0])),
    ),
  );
}
