// The command `warren` as a process: what it prints, what it runs, and how it ends.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CommandResult } from '../../dev/command.ts';
import { runCommand } from '../../dev/command.ts';
import { HANG_MS } from '../support/eventually.ts';
import { startFile } from '../support/program.ts';
import { createDatabase } from '../support/servers.ts';

const root = resolve(import.meta.dirname, '../..');
const { version } = (await import('../../package.json', { with: { type: 'json' } })).default;

let folder: string;
let app: string;

beforeAll(() => {
  folder = mkdtempSync(join(root, 'test/.application-')); // within the package, so that it finds that by its name
  app = join(folder, 'app.ts');
  writeFileSync(
    app,
    `import { defineApp } from 'warren/app';
export const app = defineApp({ name: 'crm', queues: { mail: { channels: 1, prefetch: 3 } }, jobs: [] });\n`,
  );
  for (const [name, text] of Object.entries(faulty)) writeFileSync(join(folder, name), text);
});

afterAll(() => rmSync(folder, { recursive: true }));

/** Applications that cannot be loaded. */
const faulty = {
  'throws.ts': "\nthrow new Error('no key\\nat all');\n",
  'syntax.ts': '\nexport const app: number = ;\n',
  'syntax.mjs': 'export const app = ;\n',
  'unmet.ts': "import 'a-package-that-is-not-there';\n",
  'wrong.ts': `import { defineApp } from 'warren/app';
export const app = defineApp({ name: '!', queues: {}, jobs: [] });\n`,
};

async function warren(args: readonly string[], env: Record<string, string> = {}): Promise<CommandResult> {
  return await runCommand(process.execPath, ['src/cli/main.ts', ...args], {
    cwd: root,
    env: { PATH: '/usr/bin:/bin', ...env },
    timeoutMs: HANG_MS,
  });
}

test('it says which version it is, and what it can do', async () => {
  expect(await warren(['--version'])).toMatchObject({ status: 0, stdout: version });
  const { status, stdout } = await warren(['--help']);
  expect(status).toBe(0);
  for (const name of ['api', 'worker', 'migrate'])
    expect(stdout).toMatch(new RegExp(`^ +${name} \\[options\\]`, 'm'));
  expect((await warren(['worker', '--help'])).stdout).toMatch(/--app <module>.*DRAIN_TIMEOUT_MS/s);
});

test.each<[string, string[], RegExp]>([
  ['without a command', [], /^Usage: warren/],
  ['for a command that it has not', ['dance'], /^error: unknown command 'dance'\n+\([^\n]+--help[^\n]+\)$/],
  [
    'for an option that it has not',
    ['api', '--loud'],
    /^error: unknown option '--loud'\n+\([^\n]+--help[^\n]+\)$/,
  ],
  ['for an option that it has not, of a noun', ['jobs', 'list', '--loud'], /^error: unknown option '--loud'/],
])('it ends with 2 and says why %s', async (_, args, reason) => {
  const { status, stderr } = await warren(args);
  expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringMatching(reason) });
});

describe('it ends with 1 and says why', () => {
  test.each<[string, string[], Record<string, string>, RegExp]>([
    [
      'for an application that is not there',
      ['migrate', '--app', './nowhere.ts'],
      {},
      /^the application \.\/nowhere\.ts cannot be loaded \(WARREN_APP\): there is no file \/\S+\/nowhere\.ts$/,
    ],
    [
      'for a module without an application',
      ['migrate', '--app', './src/cli/../index.ts'],
      {},
      /exports no "app"/,
    ],
    [
      'for a name that is neither a file nor a package',
      ['migrate', '--app', 'nowhere.ts'],
      {},
      /there is neither a file \/\S+\/nowhere\.ts nor a package nowhere\.ts$/,
    ],
    [
      'for a path that is neither a file nor in a package',
      ['migrate', '--app', 'nowhere/app.ts'],
      {},
      /there is neither a file \/\S+\/nowhere\/app\.ts nor a package nowhere$/,
    ],
    [
      'for a path that is neither a file nor in a package of a scope',
      ['migrate', '--app', '@nowhere/shop/app.ts'],
      {},
      /there is neither a file \/\S+\/@nowhere\/shop\/app\.ts nor a package @nowhere\/shop$/,
    ],
    ['without a database', ['migrate'], {}, /^DATABASE_URL is required$/],
    [
      'for wrong settings of a program',
      ['worker'],
      { DATABASE_URL: 'nonsense' },
      /^the settings are wrong: /,
    ],
  ])('%s', async (_, args, env, reason) => {
    const { status, stderr } = await warren(args, env);
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(reason) });
  });
});

test('it completes its own command line in the shells', async () => {
  expect((await warren(['complete', '--', 'queues', 'p'])).stdout).toMatch(/^pause\b/m);
  expect((await warren(['complete', '--', 'jobs', 'list', '--st'])).stdout).toMatch(/^--state\b/m);
  for (const shell of ['bash', 'zsh', 'fish'])
    expect((await warren(['completion', shell])).stdout).toMatch(/warren complete/);
});

test.each(['src/api/main.ts', 'src/worker/main.ts'])(
  '%s, which takes no arguments, says so',
  async (entry) => {
    const options = { cwd: root, env: { PATH: '/usr/bin:/bin' }, timeoutMs: HANG_MS };
    const given = await runCommand(process.execPath, [entry, 'node', 'dev/container/migrate.ts'], options);
    expect(given).toMatchObject({
      status: 1,
      stderr: 'this program takes no arguments, but was given: node dev/container/migrate.ts',
    });
  },
);

test.each([
  ['throws.ts', /: Error: no key \(file:\/\/\S+\/throws\.ts:2:7\)$/],
  ['syntax.ts', /: .*Expression expected \(file:\/\/\S+\/syntax\.ts:2\)$/],
  ['syntax.mjs', /: SyntaxError: .+ \("node \S+\/syntax\.mjs" shows where\)$/],
  ['unmet.ts', /: .*Cannot find package 'a-package-that-is-not-there' imported from \S+\/unmet\.ts$/],
  ['wrong.ts', /: .*"!" is no application name.* \(file:\/\/\S+\/wrong\.ts:2:20\)$/],
])('it says in one line what is wrong with an application, and where: %s', async (name, reason) => {
  const path = join(folder, name);
  const { status, stderr } = await warren(['worker', '--app', path]);
  expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(reason) });
  expect(stderr).toMatch(/^the application \S+ cannot be loaded \(WARREN_APP\): [^\n]+$/);
});

test('it migrates, again too, and runs the worker and the API of the application that it is given', async () => {
  await using database = await createDatabase({ migrated: false });
  const env = { DATABASE_URL: database.url, AMQP_URL: 'none' };
  const first = await warren(['migrate', '--app', app], env);
  expect(first).toMatchObject({ status: 0, stdout: expect.stringMatching(/^applied 0001-jobs\.sql, /) });
  const again = await warren(['migrate'], { ...env, WARREN_APP: app });
  expect(again).toMatchObject({ status: 0, stdout: 'the schema is up to date' });
  const forPrograms = await warren(['migrate', '--json'], { ...env, WARREN_APP: app });
  expect(JSON.parse(forPrograms.stdout)).toEqual({ applied: [] });

  const ports = { PORT: '0', WORKER_HEALTH_PORT: '0' };
  await using worker = await startFile('src/cli/main.ts', { ...env, ...ports }, ['worker', '--app', app]);
  await using api = await startFile('src/cli/main.ts', { ...env, ...ports, WARREN_APP: app }, [
    'api',
    '--json', // its log is JSON without it, too
  ]);
  const started = await worker.waitForLog('worker started', { timeoutMs: HANG_MS });
  expect(started['queues']).toEqual([{ queue: 'mail', channels: 1, prefetch: 3 }]);
  const { url } = await api.waitForLog('api serving', { timeoutMs: HANG_MS });
  const answer = await fetch(`${url}/v1/queues`);
  expect(await answer.json()).toMatchObject({ queues: [{ name: 'mail' }] });
  for (const program of [worker, api]) {
    program.signal('SIGTERM');
    expect((await program.exited).code).toBe(0);
  }
});
