// docs/package.md: what it shows compiles as it stands there.
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { runCommand } from '../../dev/command.ts';
import { createDocumentedProject } from '../support/documented-project.ts';
import { HANG_MS } from '../support/eventually.ts';

const compiler = resolve(import.meta.dirname, '../../node_modules/typescript/bin/tsc');
const compilerOptions = {
  strict: true,
  module: 'nodenext',
  target: 'es2025', // here the sources of the package are compiled with it, in an installed one its declarations
  noEmit: true,
  allowImportingTsExtensions: true,
  types: ['node'],
};

test('its examples compile, under the strict rules of a project of its reader', {
  timeout: 2 * HANG_MS,
}, async () => {
  using project = createDocumentedProject('package.md');
  expect(project.files).toEqual(['app.ts', 'main.ts', 'logging.ts', 'server.ts']);
  writeFileSync(
    join(project.folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, files: project.files }),
  );
  const { status, stdout, stderr } = await runCommand(process.execPath, [compiler, '-p', project.folder], {
    cwd: project.folder,
    timeoutMs: HANG_MS,
  });
  expect(status, stdout + stderr).toBe(0);
});
