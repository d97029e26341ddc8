// `npm run images`: builds localhost/warren-api:dev and localhost/warren-worker:dev with docker, podman or buildah, whichever is there first.
// `--help` names the options.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { runCommand } from './command.ts';
import { readCommandLine } from './command-line.ts';
import type { Builder } from './images/builders.ts';
import { DEFAULT_TAG, findBuilder, imageName } from './images/builders.ts';
import { checkImages } from './images/check.ts';
import { findRunner } from './images/containers.ts';
import { makeLocalBase } from './images/local-base.ts';
import { failureMessage, handleStopSignals, isInterruption } from './stop-signals.ts';

const root = resolve(import.meta.dirname, '..');
const programs = ['api', 'worker'] as const;
const gitTimeoutMs = 5_000;

type Options = {
  readonly builder: string | undefined;
  readonly base: string | undefined;
  readonly tag: string;
  readonly check: boolean;
};

const print = (line: string) => process.stdout.write(`${line}\n`);
const progress = (line: string) => process.stderr.write(`${line}\n`);

async function run({ builder: wanted, base, tag, check }: Options, signal: AbortSignal): Promise<void> {
  const builder = await findBuilder({ run: runCommand, wanted });
  progress(`Building with ${builder.name} …`);
  const baseImage = await chooseBase({ builder, base, check });
  const images = { api: imageName('api', tag), worker: imageName('worker', tag) };
  const labels = { VERSION: readVersion(), REVISION: await readRevision() };
  for (const program of programs) {
    signal.throwIfAborted();
    await builder.build({
      image: images[program],
      file: `Dockerfile.${program}`,
      folder: root,
      arguments: { ...labels, ...(baseImage === undefined ? {} : { BASE_IMAGE: baseImage }) },
      log: progress,
    });
    print(`${images[program]}${await describeSize(builder, images[program])}`);
  }
  if (!check) return;
  const runner = await findRunner({ run: runCommand, builder: builder.name });
  await checkImages({ runner, images, log: print, signal });
}

/** Undefined: the one that the Dockerfiles pin. A check makes do with a local one where no registry hands that out. */
async function chooseBase({
  builder,
  base,
  check,
}: Pick<Options, 'base' | 'check'> & { builder: Builder }): Promise<string | undefined> {
  const makeOne = () => makeLocalBase({ builder, log: progress });
  if (base === 'local') return await makeOne();
  if (base !== undefined || !check) return base;
  const [, pinned = ''] =
    /^ARG BASE_IMAGE=(.+)$/m.exec(readFileSync(resolve(root, 'Dockerfile.api'), 'utf8')) ?? [];
  if (await builder.canHave(pinned)) return undefined;
  progress(`${pinned} cannot be had`);
  return await makeOne();
}

/** The layers on top of the base: what this project adds. */
async function describeSize(builder: Builder, image: string): Promise<string> {
  const layers = await builder.ownLayers(image);
  if (layers === undefined) return '';
  return `: ${(layers / 1e6).toFixed(1)} MB without the base`;
}

function readVersion(): string {
  const { version } = JSON.parse(readFileSync(resolve(root, 'package.json'), 'utf8')) as { version: string };
  return version;
}

async function readRevision(): Promise<string> {
  const { status, stdout } = await runCommand('git', ['rev-parse', 'HEAD'], {
    timeoutMs: gitTimeoutMs,
    cwd: root,
  });
  return status === 0 ? stdout.trim() : 'unknown';
}

function readOptions(): Options {
  return readCommandLine({
    name: 'npm run images',
    about: 'Builds localhost/warren-api and localhost/warren-worker.',
    flags: {
      builder: {
        value: 'NAME',
        meaning:
          'docker, podman or buildah (the first that answers), or minikube, which builds inside the cluster',
      },
      base: {
        value: 'IMAGE',
        meaning: 'another base image than the pinned one; `local` makes one from this machine',
      },
      tag: { value: 'TAG', default: DEFAULT_TAG, meaning: 'the tag of both images' },
      check: {
        meaning:
          'starts both with Postgres and RabbitMQ beside them and has a job done (Linux, docker or podman); makes a local base where the pinned one cannot be had',
      },
    },
  });
}

const { stopping } = handleStopSignals({ stopAtOnce: () => process.exit(1) });
try {
  await run(readOptions(), stopping);
} catch (error) {
  if (!isInterruption(stopping)) progress(failureMessage(error));
  process.exitCode = 1;
}
