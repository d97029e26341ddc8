// A database and a vhost for one use, made anew. Works on any server that lets its user create them.

import postgres from 'postgres';
import { migrate } from '../../src/shared/postgres/migrate/migrate.ts';

const TIMEOUT_MS = 10_000;

/** Returns its URL. The schema is Warren's own. */
export async function createBenchDatabase(administratorUrl: string, name: string): Promise<string> {
  const sql = postgres(administratorUrl, { max: 1, connect_timeout: 10, onnotice: () => {} });
  try {
    await sql`drop database if exists ${sql(name)} with (force)`;
    await sql`create database ${sql(name)}`;
  } finally {
    await sql.end({ timeout: 2 });
  }
  const url = new URL(administratorUrl);
  url.pathname = `/${name}`;
  await migrate({ databaseUrl: url.href });
  return url.href;
}

/** Returns the AMQP URL that leads into it. */
export async function createBenchVhost({
  amqpUrl,
  managementUrl,
  name,
}: {
  amqpUrl: string;
  managementUrl: string;
  name: string;
}): Promise<string> {
  const url = new URL(amqpUrl);
  const user = encodeURIComponent(decodeURIComponent(url.username || 'guest'));
  await manage(managementUrl, 'DELETE', `/vhosts/${name}`);
  await manage(managementUrl, 'PUT', `/vhosts/${name}`);
  const everything = { configure: '.*', write: '.*', read: '.*' };
  await manage(managementUrl, 'PUT', `/permissions/${name}/${user}`, everything);
  url.pathname = `/${name}`;
  return url.href;
}

async function manage(managementUrl: string, method: string, path: string, body?: unknown): Promise<void> {
  const url = new URL(managementUrl);
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  const response = await fetch(`${url.origin}/api${path}`, {
    method,
    headers: {
      authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
      'content-type': 'application/json',
    },
    body: body === undefined ? null : JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const text = await response.text();
  if (!response.ok && response.status !== 404)
    throw new Error(`${method} ${path}: ${response.status} ${text}`);
}
