// A Postgres database and a RabbitMQ vhost for one test file alone: tests are isolated by them, not by name prefixes.
// Both go away when they are disposed of (`await using`), together with every connection to them.
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

import postgres from 'postgres';
import { inject } from 'vitest';

import { asAdministrator } from './administrator.ts';
import { HANG_MS } from './eventually.ts';
import { ManagementClient } from './management-client.ts';

export type TestDatabase = AsyncDisposable & { readonly name: string; readonly url: string };

export type TestVhost = AsyncDisposable & {
  readonly name: string;
  /** The AMQP URL that leads into this vhost. */
  readonly url: string;
  /** Sees and touches this vhost only. */
  readonly management: ManagementClient;
};

/** Copied from the migrated template, or empty with `migrated: false`. */
export async function createDatabase({
  migrated = true,
}: {
  migrated?: boolean;
} = {}): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const source = migrated ? inject('templateDatabase') : 'template1';
  const administratorUrl = inject('databaseUrl');
  await asAdministrator(administratorUrl, async (sql) => copyDatabase({ sql, source, name }));
  const url = new URL(administratorUrl);
  url.pathname = `/${name}`;
  return {
    name,
    url: url.href,
    [Symbol.asyncDispose]: async () =>
      asAdministrator(administratorUrl, async (sql) => {
        await sql`drop database if exists ${sql(name)} with (force)`;
      }),
  };
}

/** Postgres refuses (55006) while anybody, autovacuum included, is connected to the source: that passes. */
async function copyDatabase({
  sql,
  source,
  name,
}: {
  sql: postgres.Sql;
  source: string;
  name: string;
}): Promise<void> {
  const deadline = performance.now() + HANG_MS;
  for (;;) {
    try {
      await sql`create database ${sql(name)} template ${sql(source)}`;
      return;
    } catch (error) {
      const inUse = error instanceof postgres.PostgresError && error.code === '55006';
      if (!inUse || performance.now() > deadline) throw error;
      await delay(25);
    }
  }
}

export async function createVhost(): Promise<TestVhost> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const amqp = new URL(inject('amqpUrl'));
  const management = new ManagementClient({ managementUrl: inject('managementUrl'), vhost: name });
  await management.createVhost({ user: decodeURIComponent(amqp.username || 'guest') });
  amqp.pathname = `/${name}`;
  return {
    name,
    url: amqp.href,
    management,
    [Symbol.asyncDispose]: async () => management.deleteVhost(),
  };
}
