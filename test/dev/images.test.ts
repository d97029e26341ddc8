import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { RunCommand } from '../../dev/command.ts';
import { DEFAULT_TAG, findBuilder, imageName, sumOwnLayers } from '../../dev/images/builders.ts';

const build = {
  image: 'localhost/warren-api:dev',
  file: 'Dockerfile.api',
  folder: '/repository',
  arguments: { VERSION: '1.2.3' },
  log: () => {},
};

/** A machine that has these commands; what was run is kept. */
function machine(commands: readonly string[], status = 0): { run: RunCommand; ran: string[] } {
  const ran: string[] = [];
  const run: RunCommand = async (command, args) => {
    ran.push([command, ...args].join(' '));
    if (!commands.includes(command)) return { status: 127, stdout: '', stderr: 'not found' };
    return { status: args.length === 1 ? 0 : status, stdout: 'STEP 1', stderr: 'no space left' };
  };
  return { run, ran };
}

describe('the builder', () => {
  test.each([
    [['docker', 'podman', 'buildah'], 'docker'],
    [['podman', 'buildah', 'minikube'], 'podman'],
    [['buildah'], 'buildah'],
  ])('of %j is %s', async (commands, expected) => {
    const { run } = machine(commands);
    expect((await findBuilder({ run, wanted: undefined })).name).toBe(expected);
  });

  test('is minikube only where it is asked for', async () => {
    const { run } = machine(['minikube']);
    await expect(findBuilder({ run, wanted: undefined })).rejects.toThrow(
      'none answers: docker, podman, buildah',
    );
    expect((await findBuilder({ run, wanted: 'minikube' })).name).toBe('minikube');
  });

  test('that does not exist is refused', async () => {
    const { run } = machine(['docker']);
    await expect(findBuilder({ run, wanted: 'kaniko' })).rejects.toThrow('there is no builder "kaniko"');
  });

  test.each([
    [
      'docker',
      'docker build --tag localhost/warren-api:dev --file Dockerfile.api --build-arg VERSION=1.2.3 .',
    ],
    [
      'buildah',
      'buildah build --format docker --tag localhost/warren-api:dev --file Dockerfile.api --build-arg VERSION=1.2.3 .',
    ],
    ['minikube', 'minikube image build --tag localhost/warren-api:dev --file Dockerfile.api .'],
  ])('%s is asked in its own words', async (name, expected) => {
    const { run, ran } = machine([name]);
    await (await findBuilder({ run, wanted: name })).build(build);
    expect(ran.at(-1)).toBe(expected);
  });

  test('that fails tells what it printed last', async () => {
    const { run } = machine(['podman'], 125);
    const builder = await findBuilder({ run, wanted: undefined });
    await expect(builder.build(build)).rejects.toThrow(
      'podman could not build localhost/warren-api:dev:\nSTEP 1\nno space left',
    );
  });
});

describe('a base image', () => {
  const answers = (succeeding: string): RunCommand => {
    return async (_, args) => ({ status: args[0] === succeeding ? 0 : 1, stdout: '', stderr: '' });
  };

  test.each([
    ['is here already', 'image', true],
    ['is handed out by a registry', 'pull', true],
    ['is neither here nor there', 'none', false],
  ])('that %s', async (_, succeeding, expected) => {
    const run: RunCommand = async (command, args, options) =>
      args[0] === 'info'
        ? { status: 0, stdout: '', stderr: '' }
        : answers(succeeding)(command, args, options);
    const builder = await findBuilder({ run, wanted: 'docker' });
    expect(await builder.canHave('node:24')).toBe(expected);
  });
});

test('the image that docs/applications.md builds on is one that `npm run images` makes', () => {
  const page = readFileSync(resolve(import.meta.dirname, '../../docs/applications.md'), 'utf8');
  expect(page.match(/^FROM .+$/gm)).toEqual([`FROM ${imageName('worker', DEFAULT_TAG)}`]);
  expect(page).toContain(`\`${imageName('api', DEFAULT_TAG)}\``);
});

describe('the size without the base', () => {
  test.each([
    ['in bytes', '0\tENTRYPOINT\n174000\tCOPY src\n16600000\tCOPY node_modules\n0\tWORKDIR /app\n99\tbase'],
    ['in words', '0B\tENTRYPOINT\n174 kB\tCOPY src\n16.6MB\tCOPY node_modules\n0 B\tWORKDIR /app\n9GB\tbase'],
  ])('is the sum of the layers on top of it, %s', (_, history) => {
    expect(sumOwnLayers(history)).toBe(16_774_000);
  });

  test.each([
    ['has no such layer', '1\tCOPY src'],
    ['is not understood', '<missing>\tCOPY src\n0\tWORKDIR /app'],
  ])('is unknown where the history %s', (_, history) => {
    expect(sumOwnLayers(history)).toBeUndefined();
  });
});
