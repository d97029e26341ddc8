// Starts RabbitMQ and Postgres once for all projects that need them, and prepares the migrated template database.
// Guarantees: whatever ends the test run, Ctrl-C included, the servers end with it.
import { randomBytes } from 'node:crypto';
import { globSync } from 'node:fs';
import { constants } from 'node:os';
import { resolve } from 'node:path';
import type { TestProject } from 'vitest/node';
import { killRecorded } from '../../dev/process-record.ts';
import { noWayMessage } from '../../dev/services/choice.ts';
import type { Services } from '../../dev/services.ts';
import { startServices } from '../../dev/services.ts';
import { app } from '../../examples/shop/app.ts';
import { migrate } from '../../src/shared/postgres/migrate/migrate.ts';
import { asAdministrator } from './administrator.ts';
import type { ProgramRoles } from './program-roles.ts';
import {
  admitPrograms,
  asProgramRole,
  createProgramRoles,
  dropProgramRoles,
  grantAfterMigration,
} from './program-roles.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    databaseUrl: string;
    amqpUrl: string;
    managementUrl: string;
    /** An empty, migrated database that others are copied from. Nobody connects to it. */
    templateDatabase: string;
    programRoles: ProgramRoles;
  }
}

type Servers = {
  readonly services: Services;
  readonly templateDatabase: string;
  readonly programRoles: ProgramRoles;
};
type Shared = { users: number; servers: Promise<Servers> };

const folder = resolve(import.meta.dirname, '../../.services/test');

/** Vitest loads this module anew for every project: what they share hangs on the process. */
const shared = Symbol.for('warren.test.servers');
const holder: typeof globalThis & { [shared]?: Shared } = globalThis;

export async function setup(project: TestProject): Promise<void> {
  holder[shared] ??= { users: 0, servers: startServers() };
  holder[shared].users += 1;
  const { services, templateDatabase, programRoles } = await holder[shared].servers;
  project.provide('databaseUrl', services.databaseUrl);
  project.provide('amqpUrl', services.amqpUrl);
  project.provide('managementUrl', services.managementUrl);
  project.provide('templateDatabase', templateDatabase);
  project.provide('programRoles', programRoles);
}

export async function teardown(): Promise<void> {
  const current = holder[shared];
  if (current === undefined) return;
  current.users -= 1;
  if (current.users > 0) return;
  const { services, templateDatabase, programRoles } = await current.servers;
  await asAdministrator(services.databaseUrl, async (sql) => {
    await sql`drop database if exists ${sql(templateDatabase)} with (force)`;
  });
  await dropProgramRoles(services.databaseUrl, programRoles);
  await services.stop();
}

async function startServers(): Promise<Servers> {
  const controller = new AbortController();
  const started = startServices({
    folder,
    keepData: false,
    log: (line) => process.stderr.write(`${line}\n`),
    signal: controller.signal,
  });
  let services: Services | undefined;
  process.once('exit', () => {
    services?.kill();
    // Tests of the servers start more of them in folders below; Ctrl-C kills the test before it can stop them.
    for (const file of globSync(`${folder}/*/processes.json`)) killRecorded(file);
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      controller.abort();
      // While starting, the aborted start cleans up behind itself; afterwards the exit handler kills what runs.
      void started.catch(() => undefined).then(() => process.exit(128 + constants.signals[signal]));
    });
  }
  services = await started;
  if (services.amqpUrl === 'none') {
    await services.stop();
    throw new Error(noWayMessage('the integration and system tests need a broker, so not the fourth'));
  }
  const templateDatabase = `warren_template_${randomBytes(4).toString('hex')}`;
  try {
    await asAdministrator(services.databaseUrl, async (sql) => {
      await sql`create database ${sql(templateDatabase)}`;
    });
    const url = new URL(services.databaseUrl);
    url.pathname = `/${templateDatabase}`;
    const programRoles = await createProgramRoles(services.databaseUrl);
    await admitPrograms(services.databaseUrl, templateDatabase, programRoles);
    const migrateUrl = asProgramRole(url.href, 'migrate', programRoles);
    await migrate({ databaseUrl: migrateUrl, app });
    await grantAfterMigration(migrateUrl, programRoles);
    return { services, templateDatabase, programRoles };
  } catch (error) {
    await services.stop();
    throw error;
  }
}
