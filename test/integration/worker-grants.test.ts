// A worker whose role lacks grants ends at the start and tells which.
import postgres from 'postgres';
import { expect, test } from 'vitest';
import { Events } from '../../src/shared/observe/events.ts';
import { readConfig } from '../../src/shared/settings/config.ts';
import { WORKER_GRANTS } from '../../src/worker/grants.ts';
import { Worker } from '../../src/worker/worker.ts';
import { documentedSql } from '../support/documented.ts';
import { createRole } from '../support/roles.ts';
import { createDatabase } from '../support/servers.ts';
import { testApp } from '../support/test-app.ts';

const statements = (documentedSql('security.md')[1] ?? []).filter(
  (statement) => / to .*warren_worker/.test(statement) && !statement.includes('warren.orders'),
);

test('the worker looks for the grants that the documentation has for it, and no others', () => {
  const documented = statements.flatMap((statement) => {
    const [, privileges = '', objects = ''] =
      /^grant (.*) on (?:sequence )?(warren\..*) to /.exec(statement) ?? [];
    return objects
      .split(', ')
      .filter((name) => name !== '')
      .map((name) => [name.replace('warren.', ''), privileges.split(', ')]);
  });
  expect(Object.fromEntries(documented)).toEqual(WORKER_GRANTS);
});

test('a worker whose role lacks grants says which in one line, instead of trying for ever', async () => {
  await using role = await createRole();
  await using database = await createDatabase();
  const administrator = postgres(database.url, { max: 1 });
  const databaseUrl = await role.connectTo(database.url);
  const start = async () => {
    const worker = new Worker({
      config: readConfig('worker', testApp(), { DATABASE_URL: databaseUrl, AMQP_URL: 'none' }),
      name: 'warren-worker@test:1',
      app: testApp(),
      events: new Events(),
    });
    try {
      await worker.start(new AbortController().signal);
    } finally {
      await worker.stop();
    }
  };
  const grant = async (texts: readonly string[]) => {
    for (const text of texts) await administrator.unsafe(text.replace(/ to .*/, ` to ${role.name}`));
  };
  try {
    await expect(start()).rejects.toMatchObject({
      name: 'Misconfigured',
      message: expect.stringMatching(
        /role "test_\w+" lacks grants: .*; usage on schema warren; usage on warren\.jobs_id_seq \(docs\/security\.md/,
      ),
    });
    await grant(statements.filter((text) => !text.includes('claims_open')));
    await administrator.unsafe(`revoke update, delete on warren.workers from ${role.name}`);
    await expect(start()).rejects.toMatchObject({
      name: 'Misconfigured',
      message: expect.stringContaining(
        `"${role.name}" lacks grants: select, insert on warren.claims_open; update, delete on warren.workers (`,
      ),
    });
    await grant(statements);
    await start();
  } finally {
    await administrator.end();
  }
});
