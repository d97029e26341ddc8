// A private Postgres: initdb once, then the server as a child of ours on a free loopback port.
// Durability settings are the defaults (fsync on). It never runs as root, because Postgres refuses to.
import { chownSync, cpSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import postgres from 'postgres';

import type { CommandOptions } from '../command.ts';
import { freePorts } from '../free-port.ts';
import { OwnedProcess } from '../owned-process.ts';
import { waitUntil } from '../wait-until.ts';
import type { Owner } from './data-folder.ts';
import { canEnter, keptPassword, ownedFolder } from './data-folder.ts';
import { serverOwner } from './server-owner.ts';
import type { PostgresBinaries, ServerOptions } from './service-needs.ts';

const user = 'warren';
const database = 'warren';
const initTimeoutMs = 60_000;
const readyTimeoutMs = 60_000;
/** A fast shutdown writes a checkpoint first. */
const stopTimeoutMs = 10_000;
/** Programs, their tests and a bench at once: the default of 100 is too few. */
const maxConnections = 200;

const environment = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', TZ: 'UTC' };

export type PostgresOptions = ServerOptions & { readonly binaries: PostgresBinaries | undefined };

export async function startPostgres(
  options: PostgresOptions,
): Promise<AsyncDisposable & { urls: { databaseUrl: string } }> {
  const { logFolder, keepData, record, run, log, signal, binaries } = options;
  if (binaries === undefined) throw new Error('/usr/lib/postgresql has no server');
  const owner = await serverOwner(options.folder, run);
  const folder = await ownedFolder({ folder: options.folder, owner, run });
  const password = keptPassword(join(folder, 'password'), owner);
  const programs = await reachablePrograms({ programs: binaries.folder, folder, owner, run });
  // A data folder belongs to one major version: an upgrade of the distribution begins anew.
  const data = join(folder, `data-${binaries.version}`);
  if (!existsSync(data))
    await initialise({ ...options, initdb: join(programs, 'initdb'), folder, data, owner });
  const [port = 0] = await freePorts(1);

  const server = await OwnedProcess.start({
    name: 'Postgres',
    command: join(programs, 'postgres'),
    args: ['-D', data, '-p', String(port), ...serverSettings()],
    env: environment,
    cwd: folder,
    output: { file: join(logFolder, 'postgres.log') },
    owner,
    marker: data,
    // SIGINT is Postgres's fast shutdown, SIGQUIT its immediate one.
    stopSignal: keepData ? 'SIGINT' : 'SIGQUIT',
    stopTimeoutMs,
    record,
  });
  try {
    const url = (name: string) => `postgres://${user}:${password}@127.0.0.1:${port}/${name}`;
    await waitUntil({
      what: 'Postgres',
      check: async () => createDatabase(url('postgres')),
      assertPossible: () => server.assertRunning(),
      timeoutMs: readyTimeoutMs,
      log,
      signal,
    });
    return { urls: { databaseUrl: url(database) }, [Symbol.asyncDispose]: async () => server.stop() };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

function serverSettings(): string[] {
  const settings = {
    listen_addresses: '127.0.0.1',
    // A socket saves 13 to 40 µs of processor time per statement, which is 1 to 3 % of a request's, as a statement serves some ten of them; and a URL
    // cannot name one for postgres.js: every client would have to be told its path.
    unix_socket_directories: '',
    max_connections: maxConnections,
    // The default begins with the schema named like the user: a query that forgot `warren.` would work here alone.
    search_path: 'public',
    log_line_prefix: '%m [%p] %q%a@%d ',
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/** The folder with the programs: a copy where the owner cannot enter theirs, as in a checkout below /root. They find the rest beside them. */
async function reachablePrograms({
  programs,
  folder,
  owner,
  run,
}: {
  programs: string;
  folder: string;
  owner: Owner | undefined;
  run: ServerOptions['run'];
}): Promise<string> {
  if (owner === undefined || (await canEnter(programs, owner, run))) return programs;
  const copy = join(folder, 'programs');
  rmSync(copy, { recursive: true, force: true });
  cpSync(dirname(programs), copy, { recursive: true, verbatimSymlinks: true });
  return join(copy, basename(programs));
}

/** Into a draft that is renamed when complete: an initdb that was interrupted must not look like a database. */
async function initialise({
  folder,
  data,
  owner,
  initdb,
  keepData,
  run,
}: ServerOptions & { initdb: string; data: string; owner: Owner | undefined }): Promise<void> {
  const draft = `${data}.draft`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { mode: 0o700 });
  if (owner !== undefined) chownSync(draft, owner.uid, owner.gid);
  const args = ['--pgdata', draft, '--username', user, '--pwfile', join(folder, 'password')];
  args.push('--auth', 'scram-sha-256', '--encoding', 'UTF8', '--locale', 'C', '--no-instructions');
  if (!keepData) args.push('--no-sync');
  const options: CommandOptions = { timeoutMs: initTimeoutMs, env: environment, cwd: folder, ...owner };
  const { status, stderr } = await run(initdb, args, options);
  if (status !== 0) throw new Error(`initdb failed: ${stderr.trim().split('\n').at(-1)}`);
  renameSync(draft, data);
}

/** Answers true when the server takes queries and has our database. */
async function createDatabase(adminUrl: string): Promise<true> {
  const sql = postgres(adminUrl, { max: 1, connect_timeout: 5, onnotice: () => undefined });
  try {
    const found = await sql`select 1 from pg_database where datname = ${database}`;
    if (found.length === 0) await sql`create database ${sql(database)}`;
    return true;
  } finally {
    await sql.end({ timeout: 1 });
  }
}
