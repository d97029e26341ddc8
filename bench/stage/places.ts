// A database and a vhost for one use, made anew: benchmarks and fault rows have them. Works on any server that lets its user create them.

import postgres from 'postgres';
import { ManagementClient } from '../../test/support/management-client.ts';

/** Empty; an earlier one of the name is dropped. Returns its URL. */
export async function createDatabase(administratorUrl: string, name: string): Promise<string> {
  return await makeDatabase(administratorUrl, { name, template: 'template1' });
}

/** A copy of a database that nobody is connected to; an earlier one of the name is dropped. Returns its URL. */
export async function copyDatabase(administratorUrl: string, source: string, name: string): Promise<string> {
  return await makeDatabase(administratorUrl, { name, template: source });
}

async function makeDatabase(
  administratorUrl: string,
  { name, template }: { name: string; template: string },
): Promise<string> {
  const sql = postgres(administratorUrl, { max: 1, connect_timeout: 10, onnotice: () => {} });
  try {
    await sql`drop database if exists ${sql(name)} with (force)`;
    await sql`create database ${sql(name)} template ${sql(template)}`;
  } finally {
    await sql.end({ timeout: 2 });
  }
  const url = new URL(administratorUrl);
  url.pathname = `/${name}`;
  return url.href;
}

/** Empty; an earlier one of the name is deleted. Returns the AMQP URL that leads into it, and what manages it. */
export async function createVhost(
  { amqpUrl, managementUrl }: { amqpUrl: string; managementUrl: string },
  name: string,
): Promise<{ url: string; management: ManagementClient }> {
  const url = new URL(amqpUrl);
  const management = new ManagementClient({ managementUrl, vhost: name });
  await management.deleteVhost();
  await management.createVhost({ user: decodeURIComponent(url.username || 'guest') });
  url.pathname = `/${name}`;
  return { url: url.href, management };
}
