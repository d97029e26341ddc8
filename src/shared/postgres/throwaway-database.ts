/**
 * A database of its own beside the one that a URL leads to, for a test; it is gone when it is disposed of, with every connection to it.
 *
 * Guarantees: its name is random, so that tests may run at once; nothing but the schema `warren` and the application's own is in it.
 */
import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import type { App } from '../job/app.ts';
import { commandOptions } from './connection-options.ts';
import { migrate } from './migrate/migrate.ts';

export interface ThrowawayDatabase extends AsyncDisposable {
  readonly url: string;
}

/** `databaseUrl`: of any database of the server, for somebody who may create databases. Throws what Postgres says. */
export async function createThrowawayDatabase(databaseUrl: string, app: App): Promise<ThrowawayDatabase> {
  const name = `warren_test_${randomBytes(6).toString('hex')}`;
  await onServer(databaseUrl, async (sql) => {
    await sql`create database ${sql(name)}`;
  });
  const drop = () =>
    onServer(databaseUrl, async (sql) => {
      await sql`drop database if exists ${sql(name)} with (force)`;
    });
  const url = new URL(databaseUrl);
  url.pathname = `/${name}`;
  try {
    await migrate({ databaseUrl: url.href, app });
  } catch (error) {
    await drop();
    throw error;
  }
  return { url: url.href, [Symbol.asyncDispose]: drop };
}

async function onServer(databaseUrl: string, act: (sql: postgres.Sql) => Promise<void>): Promise<void> {
  const sql = postgres(databaseUrl, commandOptions('warren-test'));
  try {
    await act(sql);
  } finally {
    await sql.end({ timeout: 2 });
  }
}
