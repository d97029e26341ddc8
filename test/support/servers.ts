// A Postgres database and a RabbitMQ vhost for one test file alone: tests are isolated by them, not by name prefixes.
// Both go away when they are disposed of (`await using`), together with every connection to them.
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

import postgres from 'postgres';
import { inject } from 'vitest';

import { Events } from '../../src/shared/observe/events.ts';
import { Database } from '../../src/shared/postgres/database.ts';
import { asAdministrator } from './administrator.ts';
import { documentedPermissions } from './documented.ts';
import { HANG_MS } from './eventually.ts';
import { ManagementClient } from './management-client.ts';
import type { ProgramName } from './program-roles.ts';
import { admitPrograms, applyRoleSettings, asProgramRole } from './program-roles.ts';

export type TestDatabase = AsyncDisposable & {
  readonly name: string;
  /** For an administrator, as tests are. Programs get `asRole(url, …)`. */
  readonly url: string;
};

export type TestVhost = AsyncDisposable & {
  readonly name: string;
  /** The AMQP URL that leads an administrator into this vhost. Programs get `asUser(url, …)`. */
  readonly url: string;
  /** Sees and touches this vhost only. */
  readonly management: ManagementClient;
};

/** The same database as a program sees it, with the grants of docs/security.md. */
export function asRole(url: string, program: ProgramName): string {
  return asProgramRole(url, program, inject('programRoles'));
}

/** A pool on the same database, with a program's grants and no more. Stop it before the database goes away. */
export function openAs(url: string, program: ProgramName): Database {
  return new Database({
    url: asRole(url, program),
    name: `test ${program}`,
    min: 1,
    max: 2,
    events: new Events(),
  });
}

/** Sets the programs' roles in this database as docs/postgres.md has it for PgBouncer. */
export async function setRolesForPooler({ name }: TestDatabase): Promise<void> {
  await applyRoleSettings(inject('databaseUrl'), name, inject('programRoles'));
}

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
  await admitPrograms(administratorUrl, name, inject('programRoles'));
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
  await Promise.all(
    brokerPrograms.map((program) =>
      management.createUser({
        name: `${name}_${program}`,
        password: name,
        permissions: documentedPermissions(`warren_${program}`),
      }),
    ),
  );
  amqp.pathname = `/${name}`;
  return {
    name,
    url: amqp.href,
    management,
    [Symbol.asyncDispose]: async () => {
      await management.deleteVhost();
      await Promise.all(brokerPrograms.map((program) => management.deleteUser(`${name}_${program}`)));
    },
  };
}

const brokerPrograms = ['api', 'worker'] as const;

/** The same vhost as a program sees it, with the permissions of docs/security.md. Leaves alone what is no test's vhost. */
export function asUser(url: string, program: (typeof brokerPrograms)[number]): string {
  if (!URL.canParse(url)) return url;
  const changed = new URL(url);
  const vhost = changed.pathname.slice(1);
  if (!vhost.startsWith('test_')) return url;
  changed.username = `${vhost}_${program}`;
  changed.password = vhost;
  return changed.href;
}
