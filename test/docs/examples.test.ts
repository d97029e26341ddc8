// The examples of the pages compile as they stand there, under the strict rules of a project of their reader.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { runCommand } from '../../dev/command.ts';
import { createDocumentedProject } from '../support/documented-project.ts';
import { HANG_MS } from '../support/eventually.ts';

const root = resolve(import.meta.dirname, '../..');
const compiler = join(root, 'node_modules/typescript/bin/tsc');
const compilerOptions = {
  strict: true,
  module: 'nodenext',
  target: 'es2025', // here the sources of the package are compiled with it, in an installed one its declarations
  noEmit: true,
  allowImportingTsExtensions: true,
  types: ['node'],
};

/** They show one project together. */
const together = ['applications.md', 'job-types.md'];
/** Its blocks are parts of programs with other clients of Postgres: a test of these compiles and runs them. */
const elsewhere = ['transactions.md'];

const alone = readdirSync(join(root, 'docs'))
  .filter((page) => page.endsWith('.md') && !together.includes(page) && !elsewhere.includes(page))
  .filter((page) => readFileSync(join(root, 'docs', page), 'utf8').includes('```ts'));

test('every example compiles', { timeout: 4 * HANG_MS }, async () => {
  using stack = new DisposableStack();
  const projects = [together, ...alone.map((page) => [page])].map((pages) =>
    stack.use(createDocumentedProject(...pages)),
  );
  const files = projects.flatMap(({ folder, files }) => files.map((file) => join(folder, file)));
  expect(files.length).toBeGreaterThan(alone.length);
  const config = join(projects[0]?.folder ?? '', 'tsconfig.json');
  writeFileSync(config, JSON.stringify({ compilerOptions, files }));
  const { status, stdout, stderr } = await runCommand(process.execPath, [compiler, '-p', config], {
    cwd: root,
    timeoutMs: 3 * HANG_MS,
  });
  expect(status, stdout + stderr).toBe(0);
});
