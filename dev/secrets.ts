// `npm run secrets`: prints the namespace and the Secrets of the minikube overlay, for `kubectl apply -f -`.
// Guarantees: every password is random and made once; it stays the same for as long as its file is kept, because the servers keep theirs.
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

import { readCommandLine } from './command-line.ts';

const { file } = readCommandLine({
  name: 'npm run secrets',
  about:
    'Prints the namespace and the Secrets of the minikube overlay, with random passwords: npm run --silent secrets | kubectl apply -f -',
  flags: {
    file: {
      value: 'PATH',
      default: '.services/minikube-secrets.json',
      meaning: 'where the passwords are kept',
    },
  },
});

type Passwords = Readonly<
  Record<'postgres' | 'rabbitmqAdministrator' | 'rabbitmq' | 'rabbitmqMonitor' | 'webhooks', string>
>;

const path = resolve(import.meta.dirname, '..', file);
const passwords = readPasswords() ?? makePasswords();
const namespace = 'warren';

const objects = [
  {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespace },
  },
  secret('warren', {
    DATABASE_URL: `postgres://warren:${passwords.postgres}@postgres:5432/warren`,
    AMQP_URL: `amqp://warren:${passwords.rabbitmq}@rabbitmq:5672/`,
    WEBHOOK_SECRET: passwords.webhooks,
  }),
  // Named as in the production overlay, so that components find either.
  secret('postgres-app', { username: 'warren', password: passwords.postgres, dbname: 'warren' }),
  secret('rabbitmq-default-user', { username: 'administrator', password: passwords.rabbitmqAdministrator }),
  secret('rabbitmq-warren', { username: 'warren', password: passwords.rabbitmq }),
  secret('rabbitmq-monitor', { username: 'monitor', password: passwords.rabbitmqMonitor }),
];
process.stdout.write(`${JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }, undefined, 2)}\n`);

function secret(name: string, stringData: Readonly<Record<string, string>>) {
  const labels = { 'app.kubernetes.io/part-of': 'warren' };
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace, labels },
    type: 'Opaque',
    stringData,
  };
}

function readPasswords(): Passwords | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function makePasswords(): Passwords {
  const random = () => randomBytes(24).toString('hex');
  const made = {
    postgres: random(),
    rabbitmqAdministrator: random(),
    rabbitmq: random(),
    rabbitmqMonitor: random(),
    webhooks: `whsec_${randomBytes(32).toString('base64')}`,
  };
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(made, undefined, 2)}\n`, { mode: 0o600, flag: 'wx' });
  return made;
}
