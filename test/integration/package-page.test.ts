// docs/package.md: the example that it begins with prints what it says.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCommand } from '../../dev/command.ts';
import { createDocumentedProject } from '../support/documented-project.ts';
import { HANG_MS } from '../support/eventually.ts';
import { createDatabase } from '../support/servers.ts';

test('its first example does what its comments say', async () => {
  await using database = await createDatabase({ migrated: false });
  using project = createDocumentedProject('package.md');
  const { status, stdout, stderr } = await runCommand(process.execPath, [join(project.folder, 'main.ts')], {
    env: { PATH: '/usr/bin:/bin', DATABASE_URL: database.url },
    timeoutMs: HANG_MS,
  });
  expect(status, stderr).toBe(0);
  const lines = stdout.split('\n').filter((line) => !line.startsWith('job '));
  expect(lines).toEqual([
    'false true',
    "{ greeted: 'Bob' }",
    "{ greeted: 'Eve' }",
    "{ name: 'Eve' } true",
    'state_forbids',
  ]);
  expect(stdout.match(/^job \d+: (completed|cancelled)$/gm)).toHaveLength(3);
});
