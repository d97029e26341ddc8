/**
 * What `warren doctor --fix` may do in Postgres: what changes no row and can be done again. On a connection of its own.
 */
import postgres from 'postgres';
import { commandOptions } from '../connection-options.ts';

const NAME = /^[a-z_][a-z0-9_]{0,62}$/;

/** Builds an index of the schema anew without locking anybody out. Throws what Postgres says. */
export async function rebuildIndex(url: string, name: string): Promise<void> {
  await run(url, `reindex index concurrently warren.${checked(name)}`);
}

/** Throws what Postgres says. */
export async function vacuumTable(url: string, name: string): Promise<void> {
  await run(url, `vacuum (analyze) warren.${checked(name)}`);
}

function checked(name: string): string {
  if (NAME.test(name)) return name;
  throw new Error(`"${name}" is no name of a table or an index of ours`);
}

async function run(url: string, statement: string): Promise<void> {
  const sql = postgres(url, commandOptions('warren-doctor'));
  try {
    await sql.unsafe(statement);
  } finally {
    await sql.end({ timeout: 2 });
  }
}
