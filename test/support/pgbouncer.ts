// Debian's PgBouncer in transaction mode before the test servers' Postgres, as a private process under a user of its own: it refuses root.
// Guarantees: it ends with the test, or with the test run. Like a PgBouncer as it comes, it refuses start-up parameters that it does not know.
import { chownSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import postgres from 'postgres';
import { inject } from 'vitest';
import { runCommand } from '../../dev/command.ts';
import { freePorts } from '../../dev/free-port.ts';
import { OwnedProcess } from '../../dev/owned-process.ts';
import { ProcessRecord } from '../../dev/process-record.ts';
import { discardFolder, ownedFolder } from '../../dev/services/data-folder.ts';
import { inspectDistribution } from '../../dev/services/machine.ts';
import { installPackages } from '../../dev/services/packages.ts';
import { serverOwner } from '../../dev/services/server-owner.ts';
import { waitUntil } from '../../dev/wait-until.ts';
import { testFolder } from './test-folder.ts';

const program = '/usr/sbin/pgbouncer';
const log = (line: string) => process.stderr.write(`${line}\n`);

export type Pgbouncer = AsyncDisposable & {
  /** The same database through it. */
  through(databaseUrl: string): string;
};

/** Installs it where it is missing. False where this machine's distribution has none, or lets nobody install it. */
export async function providePgbouncer(): Promise<boolean> {
  if (existsSync(program)) return true;
  const { debian, canInstall } = await inspectDistribution(runCommand);
  if (!debian || !canInstall) return false;
  await installPackages({ packages: ['pgbouncer'], run: runCommand, log });
  return true;
}

export async function startPgbouncer(): Promise<Pgbouncer> {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(testFolder(`pgbouncer-${process.pid}`));
  const record = await ProcessRecord.claim({ file: join(path, 'processes.json'), log });
  stack.defer(() => record.release());
  const owner = await serverOwner(path, runCommand);
  const folder = await ownedFolder({ folder: join(path, 'pgbouncer'), owner, run: runCommand });
  stack.defer(() => discardFolder(join(path, 'pgbouncer')));
  const [port = 0] = await freePorts(1);
  const configuration = join(folder, 'pgbouncer.ini');
  for (const [file, text] of [
    [configuration, settings(folder, port)],
    [join(folder, 'users.txt'), users()],
  ] as const) {
    rmSync(file, { force: true });
    writeFileSync(file, text, { mode: 0o600 });
    if (owner !== undefined) chownSync(file, owner.uid, owner.gid);
  }
  const server = await OwnedProcess.start({
    name: 'PgBouncer',
    command: program,
    args: [configuration],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    cwd: folder,
    output: { file: join(path, 'pgbouncer.log') },
    owner,
    marker: configuration,
    stopSignal: 'SIGTERM', // at once
    stopTimeoutMs: 5_000,
    record,
  });
  stack.use(server);
  const through = (databaseUrl: string) => {
    const url = new URL(databaseUrl);
    url.host = `127.0.0.1:${port}`;
    return url.href;
  };
  await waitUntil({
    what: 'PgBouncer',
    check: () => answers(through(inject('databaseUrl'))),
    assertPossible: () => server.assertRunning(),
    timeoutMs: 30_000,
    log,
  });
  const started = stack.move();
  return { through, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

function settings(folder: string, port: number): string {
  const { hostname, port: target } = new URL(inject('databaseUrl'));
  return `[databases]
* = host=${hostname} port=${target || 5432}
[pgbouncer]
pool_mode = transaction
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${join(folder, 'users.txt')}
max_client_conn = 200
default_pool_size = 4
server_idle_timeout = 1
`;
}

/** The passwords in clear: with them it proves itself to Postgres, too. */
function users(): string {
  const { username, password } = new URL(inject('databaseUrl'));
  const roles = inject('programRoles');
  const known = [
    [decodeURIComponent(username), decodeURIComponent(password)],
    ...['api', 'worker'].map((name) => [`${roles.prefix}_${name}`, roles.password]),
  ];
  return known.map(([name, secret]) => `"${name}" "${secret}"\n`).join('');
}

async function answers(url: string): Promise<true> {
  const sql = postgres(url, { max: 1, connect_timeout: 2, prepare: false, fetch_types: false });
  try {
    await sql`select 1`;
    return true;
  } finally {
    await sql.end({ timeout: 1 });
  }
}
