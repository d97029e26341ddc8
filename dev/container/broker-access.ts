// In a cluster, once: makes known to RabbitMQ who may do what, and bounds the dead letters (k8s/components/broker-access). Doing it again changes
// nothing but passwords. RABBITMQ_MANAGEMENT_URL says where; below the folder BROKER_USERS stand `administrator`, who does it, `programs` and
// `monitor`, each with the files `username` and `password`. One line about it, or one about why not and exit code 1. SIGTERM: see migrate.ts.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { readEnvironment } from '../environment.ts';
import { waitUntil } from '../wait-until.ts';

type User = { readonly username: string; readonly password: string };

const timeoutMs = 20 * 60_000;
const requestTimeoutMs = 10_000;

/** The exchanges `warren` and `warren.dead` and the queues `warren.*`. */
const ownObjects = '^warren(\\..*)?$';
const nothing = '^$';
/**
 * Dead letters are for people, and forged messages become some: without a bound whoever may publish could fill the disk. The oldest go first. A quorum
 * queue keeps bodies on disk and some hundred bytes of each message in memory, so that 50 000 letters are about 10 MiB there.
 * A policy and no argument of the queue: a queue that exists cannot be given other arguments.
 */
const deadLetterPolicy = {
  pattern: '^warren\\.dead$',
  'apply-to': 'queues',
  definition: { 'max-length': 50_000, 'max-length-bytes': 64 * 1_048_576, overflow: 'drop-head' },
};

process.once('SIGTERM', () => process.exit(143));
try {
  const { inherited } = readEnvironment();
  const { RABBITMQ_MANAGEMENT_URL: url, BROKER_USERS: folder, BROKER_VHOST: vhost = '/' } = inherited;
  if (url === undefined || folder === undefined)
    throw new Error('RABBITMQ_MANAGEMENT_URL and BROKER_USERS are not both set');
  const users = {
    administrator: readUser(join(folder, 'administrator')),
    programs: readUser(join(folder, 'programs')),
    monitor: readUser(join(folder, 'monitor')),
  };
  await waitUntil({
    what: 'RabbitMQ',
    check: async () => {
      await grant({ url, vhost, ...users });
      return true;
    },
    timeoutMs,
    intervalMs: 2_000,
    log: (line) => console.log(line),
  });
  console.log(`${users.programs.username} and ${users.monitor.username} are known, the dead letters bounded`);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

async function grant(options: {
  url: string;
  vhost: string;
  administrator: User;
  programs: User;
  monitor: User;
}): Promise<void> {
  const { url, administrator, programs, monitor } = options;
  const vhost = encodeURIComponent(options.vhost);
  const put = async (path: string, body: unknown) => putObject({ url, administrator, path, body });
  for (const { user, tags, pattern } of [
    { user: programs, tags: '', pattern: ownObjects },
    { user: monitor, tags: 'monitoring', pattern: nothing },
  ]) {
    const name = encodeURIComponent(user.username);
    await put(`users/${name}`, { password: user.password, tags });
    await put(`permissions/${vhost}/${name}`, { configure: pattern, write: pattern, read: pattern });
  }
  await put(`policies/${vhost}/warren.dead`, deadLetterPolicy);
}

async function putObject(request: {
  url: string;
  administrator: User;
  path: string;
  body: unknown;
}): Promise<void> {
  const { username, password } = request.administrator;
  const response = await fetch(new URL(`/api/${request.path}`, request.url), {
    method: 'PUT',
    headers: {
      authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify(request.body),
    signal: AbortSignal.timeout(requestTimeoutMs),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`RabbitMQ answered ${response.status} ${text.slice(0, 300)}`);
}

function readUser(folder: string): User {
  const read = (name: string) => readFileSync(join(folder, name), 'utf8').trim();
  return { username: read('username'), password: read('password') };
}
