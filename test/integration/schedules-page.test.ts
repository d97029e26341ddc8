// docs/schedules.md: its example prints what it says.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCommand } from '../../dev/command.ts';
import { createDocumentedProject } from '../support/documented-project.ts';
import { HANG_MS } from '../support/eventually.ts';
import { createDatabase } from '../support/servers.ts';

test('its example does what its comments say', async () => {
  await using database = await createDatabase({ migrated: false });
  using project = createDocumentedProject('schedules.md');
  const { status, stdout, stderr } = await runCommand(process.execPath, [join(project.folder, 'main.ts')], {
    env: { PATH: '/usr/bin:/bin', DATABASE_URL: database.url },
    timeoutMs: HANG_MS,
  });
  expect(status, stderr).toBe(0);
  expect(stdout.trim().split('\n')).toEqual(['30 2 * * * Europe/Berlin 10', 'completed']);
});
