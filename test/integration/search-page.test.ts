// docs/search.md: its example prints what it says.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCommand } from '../../dev/command.ts';
import { createDocumentedProject } from '../support/documented-project.ts';
import { HANG_MS } from '../support/eventually.ts';
import { createDatabase, createVhost } from '../support/servers.ts';

test('its example does what its comments say', async () => {
  await using database = await createDatabase({ migrated: false });
  await using vhost = await createVhost();
  using project = createDocumentedProject('search.md');
  const { status, stdout, stderr } = await runCommand(process.execPath, [join(project.folder, 'search.ts')], {
    env: { PATH: '/usr/bin:/bin', DATABASE_URL: database.url, AMQP_URL: vhost.url },
    timeoutMs: HANG_MS,
  });
  expect(status, stderr).toBe(0);
  expect(stdout.trim().split('\n')).toEqual(["{ name: 'Adam' }", "{ name: 'Ada' }"]);
});
