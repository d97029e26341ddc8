/**
 * Brings the schema `warren` up to date: every migration file once, in order, forward only.
 *
 * Guarantees: one process migrates at a time (advisory lock); each file is applied as one transaction together with its entry in
 * `warren.migrations` (one simple-protocol message is one transaction), so that a crash leaves whole versions only.
 */
import { readdirSync, readFileSync } from 'node:fs';
import postgres from 'postgres';
import { Misconfigured } from '../../base/errors.ts';
import type { App } from '../../job/app.ts';
import { commandOptions } from '../connection-options.ts';
import type { Database } from '../database.ts';
import { isMissingSchema } from '../failures.ts';
import { createHandlerClient } from '../handler-client.ts';

const FOLDER = new URL('./migrations/', import.meta.url);
const LOCK = [0x7761_7272, -1] as const;

interface Migration {
  version: number;
  name: string;
}

/** The migrations of this code, oldest first. A file is called `<version>-<what it does>.sql`. */
function migrations(): Migration[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith('.sql'))
    .map((name) => ({ version: Number.parseInt(name, 10), name }))
    .sort((a, b) => a.version - b.version);
}

/** Of the schema that this code needs. */
export function newestVersion(): number {
  return migrations().at(-1)?.version ?? 0;
}

export interface MigrateOptions {
  databaseUrl: string;
  /** Its own schema comes after Warren's. Defaults to none. */
  app?: App;
}

/** Applies what is missing and returns the names of the files applied. Throws what Postgres says. */
export async function migrate({ databaseUrl, app }: MigrateOptions): Promise<{ applied: string[] }> {
  const { connection, ...options } = commandOptions('warren-migrate');
  const sql = postgres(databaseUrl, { ...options, connection: { ...connection, lock_timeout: 60_000 } });
  try {
    await sql`select pg_advisory_lock(${LOCK[0]}::int, ${LOCK[1]}::int)`;
    await sql.unsafe(`
      create schema if not exists warren;
      create table if not exists warren.migrations (
        version int primary key, name text not null, applied_at timestamptz not null default now()
      )`);
    const done = new Set(
      (await sql<Migration[]>`select version from warren.migrations`).map((row) => row.version),
    );
    const missing = migrations().filter(({ version }) => !done.has(version));
    for (const { version, name } of missing) {
      const statements = readFileSync(new URL(name, FOLDER), 'utf8');
      await sql.unsafe(
        `${statements};\ninsert into warren.migrations (version, name) values (${version}, '${name}')`,
      );
    }
    if (app?.migrate !== undefined) await migrateApplication(app.migrate, databaseUrl);
    return { applied: missing.map(({ name }) => name) };
  } finally {
    await sql.end({ timeout: 2 });
  }
}

/** With a client of its own: none of the settings of Warren's connections holds for the application. */
async function migrateApplication(run: NonNullable<App['migrate']>, databaseUrl: string): Promise<void> {
  const sql = createHandlerClient({ url: databaseUrl, name: 'warren-migrate app', max: 1 });
  try {
    await run({ sql, databaseUrl });
  } finally {
    await sql.end({ timeout: 2 });
  }
}

/** Throws `Misconfigured` where the database's schema is older than this code; `Unavailable` where nobody can tell. */
export async function assertSchemaIsCurrent(database: Pick<Database, 'query'>): Promise<void> {
  const wanted = newestVersion();
  const found = await database.query(async (sql) => {
    try {
      const [row] = await sql<
        { version: number | null }[]
      >`select max(version) as version from warren.migrations`;
      return row?.version ?? 0;
    } catch (error) {
      if (isMissingSchema(error)) return 0;
      throw error;
    }
  });
  if (found < wanted) {
    throw new Misconfigured(
      `the database's schema has version ${found}, this program needs ${wanted}: run "npm run migrate" first`,
    );
  }
}
