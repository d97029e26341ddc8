/**
 * Which servers on other machines a program talks to without proof of who they are: in clear, or encrypted with whoever answers. Pure. Says nothing of
 * passwords: what it returns is logged.
 */
import { nodeUrls } from '../base/amqp-url.ts';
import { isLoopback } from '../base/loopback.ts';

export interface ServerUrls {
  databaseUrl: string;
  databaseDirectUrl: string | undefined;
  /** `none`: no broker. */
  amqpUrl: string;
}

/** These modes of postgres.js encrypt and accept any certificate. */
const UNVERIFIED_MODES = ['require', 'prefer', 'allow'];

/** One sentence for each server. */
export function findUnverifiedServers({ databaseUrl, databaseDirectUrl, amqpUrl }: ServerUrls): string[] {
  const found = [
    findUnverifiedPostgres('DATABASE_URL', databaseUrl),
    databaseDirectUrl === undefined
      ? undefined
      : findUnverifiedPostgres('DATABASE_DIRECT_URL', databaseDirectUrl),
    ...(amqpUrl === 'none' ? [] : nodeUrls(amqpUrl).map(findUnverifiedBroker)),
  ];
  return found.filter((sentence) => sentence !== undefined);
}

function findUnverifiedPostgres(setting: string, text: string): string | undefined {
  const url = new URL(text);
  if (isLocal(url)) return undefined;
  const mode =
    url.searchParams.get('sslrootcert') === 'system'
      ? 'verify-full'
      : (url.searchParams.get('sslmode') ?? url.searchParams.get('ssl') ?? 'disable');
  const remedy = 'use sslmode=verify-full';
  if (mode === 'disable' || mode === 'false')
    return `${setting}: Postgres at ${url.hostname} is spoken to in clear; ${remedy}`;
  if (!UNVERIFIED_MODES.includes(mode)) return undefined;
  return `${setting}: sslmode=${mode} believes whoever answers for Postgres at ${url.hostname}; ${remedy}`;
}

function findUnverifiedBroker(text: string): string | undefined {
  const url = new URL(text);
  if (isLocal(url) || url.protocol === 'amqps:') return undefined;
  return `AMQP_URL: RabbitMQ at ${url.hostname} is spoken to in clear; use amqps`;
}

/** This machine, by an address of its own or by a Unix socket. */
function isLocal({ hostname }: URL): boolean {
  return hostname === '' || isLoopback(hostname) || hostname.toLowerCase().startsWith('%2f');
}
