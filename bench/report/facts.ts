// Where and with what a benchmark ran: the machine, the versions, the commit, and what was durable. Names no host and no path.
import { cpus, totalmem } from 'node:os';
import { resolve } from 'node:path';
import postgres from 'postgres';
import { runCommand } from '../../dev/command.ts';
import { ManagementClient } from '../../test/support/management-client.ts';

export interface Facts {
  /** RFC 3339, in UTC. */
  date: string;
  /** Abbreviated; `+` behind it where the tree had changes that are not in it. `unknown` outside of a checkout. */
  commit: string;
  cpu: string;
  cpus: number;
  memoryGiB: number;
  /** Server or package by name, and its version: Node, RabbitMQ, Postgres, and what else took part. */
  versions: Readonly<Record<string, string>>;
  /** What each side has promised when it answers: server or contender by name. */
  durability: Readonly<Record<string, string>>;
}

export interface ServerUrls {
  databaseUrl: string;
  /** With user and password; `none` where there is no broker. */
  managementUrl: string;
}

const TIMEOUT_MS = 10_000;
const root = resolve(import.meta.dirname, '../..');

/** Asks the machine and the servers. `versions` and `durability` are added to what is found (and win). */
export async function collectFacts({
  servers,
  versions = {},
  durability = {},
}: {
  servers: ServerUrls;
  versions?: Readonly<Record<string, string>>;
  durability?: Readonly<Record<string, string>>;
}): Promise<Facts> {
  const [database, rabbitmq, commit] = await Promise.all([
    inspectPostgres(servers.databaseUrl),
    inspectRabbitmq(servers.managementUrl),
    findCommit(),
  ]);
  const [processor] = cpus();
  return {
    date: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
    commit,
    cpu: processor?.model.replaceAll(/\s+/g, ' ').trim() || 'unknown',
    cpus: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    versions: { Node: process.versions.node, Postgres: database.version, ...rabbitmq, ...versions },
    durability: { Postgres: database.durability, ...durability },
  };
}

async function inspectPostgres(databaseUrl: string): Promise<{ version: string; durability: string }> {
  const sql = postgres(databaseUrl, { max: 1, connect_timeout: 10, onnotice: () => {} });
  try {
    const rows = await sql<{ name: string; setting: string }[]>`
      select name, setting from pg_settings
      where name in ('server_version', 'fsync', 'synchronous_commit', 'full_page_writes')`;
    const settings = new Map(rows.map(({ name, setting }) => [name, setting]));
    const durability = ['fsync', 'synchronous_commit', 'full_page_writes']
      .map((name) => `${name} ${settings.get(name)}`)
      .join(', ');
    return { version: settings.get('server_version')?.split(' ')[0] ?? 'unknown', durability };
  } finally {
    await sql.end({ timeout: 2 });
  }
}

async function inspectRabbitmq(managementUrl: string): Promise<Record<string, string>> {
  if (managementUrl === 'none') return {};
  const management = new ManagementClient({ managementUrl, vhost: '/' });
  const overview = await management.request<{ rabbitmq_version: string; erlang_version: string }>(
    'GET',
    '/overview',
  );
  if (overview === undefined) return {};
  return { RabbitMQ: `${overview.rabbitmq_version} (Erlang ${overview.erlang_version})` };
}

/** Results that are being written do not count as a change: they are what the run is for. */
async function findCommit(): Promise<string> {
  const git = (...args: string[]) => runCommand('git', args, { timeoutMs: TIMEOUT_MS, cwd: root });
  const head = await git('rev-parse', '--short', 'HEAD');
  if (head.status !== 0) return 'unknown';
  const changes = await git('status', '--porcelain', '--', 'src', 'bench', ':!bench/results');
  return head.stdout.trim() + (changes.stdout.trim() === '' ? '' : '+');
}
