// The commands of the Docker way, with a recorded `docker` instead of an engine.
import { expect, test } from 'vitest';

import type { RunCommand } from '../../dev/command.ts';
import type { DockerOptions } from '../../dev/services/docker.ts';
import { composeProject, startContainers } from '../../dev/services/docker.ts';

const ports: Record<string, string> = {
  'rabbitmq 5672': '127.0.0.1:32768',
  'rabbitmq 15672': '127.0.0.1:32769',
  'postgres 5432': '127.0.0.1:32770',
  'redis 6379': '127.0.0.1:32771',
  'valkey 6379': '127.0.0.1:32772',
};

/** Answers like docker compose, and keeps what came after `docker compose … --progress plain`. */
function recordedDocker({ running = '', failing }: { running?: string; failing?: string } = {}) {
  const calls: string[] = [];
  const run: RunCommand = async (command, args) => {
    const call = args.slice(args.indexOf('plain') + 1);
    calls.push(call.join(' '));
    expect([command, args[0]]).toEqual(['docker', 'compose']);
    if (call[0] === failing) return { status: 1, stdout: '', stderr: 'pulling\nno such image' };
    const stdout =
      call[0] === 'port' ? (ports[call.slice(1).join(' ')] ?? '') : call[0] === 'ps' ? running : '';
    return { status: 0, stdout, stderr: '' };
  };
  return { calls, run };
}

const options = (run: RunCommand, more: Partial<DockerOptions> = {}): DockerOptions => ({
  folder: '/x/.services/start',
  composeFile: '/x/compose.yaml',
  needs: ['rabbitmq', 'postgres'],
  keepData: true,
  run,
  log: () => undefined,
  ...more,
});

test('starts both, reads the published ports and stops both, data kept', async () => {
  const { calls, run } = recordedDocker();
  const servers = await startContainers(options(run));
  expect(servers).toMatchObject({
    amqpUrl: 'amqp://warren:warren@127.0.0.1:32768',
    managementUrl: 'http://warren:warren@127.0.0.1:32769',
    databaseUrl: 'postgres://warren:warren@127.0.0.1:32770/warren',
  });
  await servers.stop();
  await servers.stop();
  expect(calls).toContain('up --detach --wait rabbitmq postgres');
  expect(calls.filter((call) => call.startsWith('stop'))).toEqual(['stop rabbitmq postgres']);
});

test('what ran before is left running', async () => {
  const { calls, run } = recordedDocker({ running: 'postgres' });
  await (await startContainers(options(run))).stop();
  expect(calls.at(-1)).toBe('stop rabbitmq');
  const all = recordedDocker({ running: 'postgres\nrabbitmq' });
  await (await startContainers(options(all.run))).stop();
  expect(all.calls.some((call) => call.startsWith('stop'))).toBe(false);
});

test('only what is needed is started', async () => {
  const { calls, run } = recordedDocker();
  const servers = await startContainers(options(run, { needs: ['postgres'] }));
  expect(calls).toContain('up --detach --wait postgres');
  expect(servers.amqpUrl).toBeUndefined();
});

test('Redis and Valkey are two more containers', async () => {
  const { calls, run } = recordedDocker();
  const servers = await startContainers(options(run, { needs: ['redis', 'valkey'] }));
  expect(calls).toContain('up --detach --wait redis valkey');
  expect(servers).toMatchObject({
    redisUrl: 'redis://127.0.0.1:32771',
    valkeyUrl: 'redis://127.0.0.1:32772',
  });
});

test('without data to keep, volumes are removed before and after', async () => {
  const { calls, run } = recordedDocker();
  await (await startContainers(options(run, { keepData: false }))).stop();
  expect(calls[0]).toBe('down --volumes --remove-orphans');
  expect(calls.at(-1)).toBe('down --volumes');
});

test('a failed start stops what it began and says why', async () => {
  const { calls, run } = recordedDocker({ failing: 'up' });
  await expect(startContainers(options(run))).rejects.toThrow('docker compose up failed: no such image');
  expect(calls.at(-1)).toBe('stop rabbitmq postgres');
});

test('two checkouts and two purposes have projects of their own, in the letters that compose allows', () => {
  const names = ['/a/.services/start', '/b/.services/start', '/a/.services/test'].map(composeProject);
  expect(new Set(names).size).toBe(3);
  for (const name of names) expect(name).toMatch(/^warren-(start|test)-[0-9a-f]{8}$/);
});
