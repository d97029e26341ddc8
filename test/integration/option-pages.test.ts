// The pages of what a new job may have, and of what it says: their examples print what they say.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCommand } from '../../dev/command.ts';
import { createDocumentedProject } from '../support/documented-project.ts';
import { HANG_MS } from '../support/eventually.ts';
import { createDatabase } from '../support/servers.ts';

async function run(page: string): Promise<string[]> {
  await using database = await createDatabase({ migrated: false });
  using project = createDocumentedProject(page);
  const { status, stdout, stderr } = await runCommand(
    process.execPath,
    [join(project.folder, 'example.ts')],
    {
      env: { PATH: '/usr/bin:/bin', DATABASE_URL: database.url },
      timeoutMs: HANG_MS,
    },
  );
  expect(status, stderr).toBe(0);
  return stdout.trimEnd().split('\n');
}

test('docs/priorities.md', async () => {
  expect(await run('priorities.md')).toEqual(["9 { greeted: 'Ada' }"]);
});

test('docs/isolation.md', async () => {
  expect(await run('isolation.md')).toEqual([
    '9592',
    'discarded isolate_crashed: the process that the attempt ran in has ended (exit code 7)',
  ]);
});

test('docs/acts.md', async () => {
  expect(await run('acts.md')).toEqual([
    "{ greeted: 'Grace' }",
    'discarded',
    "{ greeted: 'Joe' }",
    'undefined',
    '{ count: 2 }',
    '{ done: 2 }',
  ]);
});

test('docs/uniqueness.md', async () => {
  expect(await run('uniqueness.md')).toEqual(['true false merged', '{ reindexed: [ 1, 2, 3 ] }']);
});

test('docs/expiry-and-timeouts.md', async () => {
  const [first, ...rest] = await run('expiry-and-timeouts.md');
  expect(first).toMatch(/^discarded 0 expired: it was not started by "/);
  expect(rest).toEqual(['discarded 1 timeout: the attempt took longer than 200 ms']);
});

test('docs/retries.md', async () => {
  expect(await run('retries.md')).toEqual([
    'discarded 1 CardDeclined: no money',
    'discarded 1 Unrecoverable: there is no such customer',
    'discarded 3 Error: the payment service is away',
  ]);
});

test('docs/progress-and-logs.md', async () => {
  expect(await run('progress-and-logs.md')).toEqual([
    '{ imported: 3 } 1 3 rows',
    '1 warn an empty row {"index":1}',
  ]);
});

test('docs/own-transaction.md', async () => {
  expect(await run('own-transaction.md')).toEqual(['completed { balance: 15 }']);
});

test('docs/watching.md', async () => {
  expect(await run('watching.md')).toEqual(['1 3 rooms', 'completed']);
});

test('docs/middleware.md', async () => {
  expect(await run('middleware.md')).toEqual(['greet in time', "[ 'tenant:acme' ] Hello Ada"]);
});

test('docs/encryption.md', async () => {
  expect(await run('encryption.md')).toEqual([
    "{ paid: 'DE02120300000000202051' }",
    "[ '$encrypted' ] false",
  ]);
});

test('docs/explain.md', async () => {
  expect(await run('explain.md')).toEqual([
    'no-worker - There is no living worker.',
    'It was completed at attempt 1.',
  ]);
});

test('docs/workers.md', async () => {
  expect(await run('workers.md')).toEqual(['crm working { default: 10 }', '[]']);
});

test('docs/audit.md', async () => {
  expect(await run('audit.md')).toEqual(["[ 'queues.pause default: done' ]"]);
});

test('docs/dead-letters.md', async () => {
  expect(await run('dead-letters.md')).toEqual(['0 { sent: 0, left: 0 }']);
});
