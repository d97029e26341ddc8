// The programs that can build an image, and what each wants to be asked. Guarantees: a build that fails throws with the last lines it printed.
// Settings of a builder that are a matter of the machine (isolation, network, mounts) are read by it: containers.conf, BUILDAH_ISOLATION.
import type { RunCommand } from '../command.ts';

export type Build = {
  readonly image: string;
  /** The path of the Dockerfile, from the folder. */
  readonly file: string;
  readonly folder: string;
  /** Build arguments by name. */
  readonly arguments: Readonly<Record<string, string>>;
  readonly log: (line: string) => void;
};

export type BuilderName = 'docker' | 'podman' | 'buildah' | 'minikube';

export type Builder = {
  readonly name: BuilderName;
  readonly build: (build: Build) => Promise<void>;
  /** Whether the image is here already, or a registry hands it out. */
  readonly canHave: (image: string) => Promise<boolean>;
  /** Bytes of the layers that the image adds to its base; undefined where the builder does not tell. */
  readonly ownLayers: (image: string) => Promise<number | undefined>;
};

export const DEFAULT_TAG = 'dev';

/** `localhost/`, so that no builder looks for it at a registry. Another image is made FROM it by this name. */
export function imageName(program: 'api' | 'worker', tag: string): string {
  return `localhost/warren-${program}:${tag}`;
}

const lookTimeoutMs = 20_000;
const pullTimeoutMs = 5 * 60_000;
const buildTimeoutMs = 15 * 60_000;
const toldLines = 20;

/** How each shows that it works, in the order in which they are tried, and how it begins a build. */
const builders: readonly { name: BuilderName; looks: readonly string[]; builds: readonly string[] }[] = [
  { name: 'docker', looks: ['info'], builds: ['build'] },
  // The Docker format: the OCI format has no HEALTHCHECK.
  { name: 'podman', looks: ['info'], builds: ['build', '--format', 'docker'] },
  { name: 'buildah', looks: ['info'], builds: ['build', '--format', 'docker'] },
  { name: 'minikube', looks: ['status'], builds: ['image', 'build'] },
];

/** The wanted builder, or the first of docker, podman and buildah that answers. Throws where there is none. */
export async function findBuilder({
  run,
  wanted,
}: {
  run: RunCommand;
  wanted: string | undefined;
}): Promise<Builder> {
  const candidates = builders.filter(({ name }) => (wanted ? name === wanted : name !== 'minikube'));
  if (candidates.length === 0) throw new Error(`there is no builder "${wanted}"`);
  for (const { name, looks, builds } of candidates) {
    const { status } = await run(name, looks, { timeoutMs: lookTimeoutMs });
    if (status === 0) return createBuilder({ run, name, builds });
  }
  throw new Error(`none answers: ${candidates.map(({ name }) => name).join(', ')}`);
}

type BuilderOptions = { run: RunCommand; name: BuilderName; builds: readonly string[] };

function createBuilder({ run, name, builds }: BuilderOptions): Builder {
  return {
    name,
    build: async ({ image, file, folder, log, arguments: given }) => {
      const pairs = Object.entries(given)
        // minikube hands build-opt to docker or to buildctl, which want different words: only what was asked for. The labels have defaults.
        .filter(([argument]) => name !== 'minikube' || argument === 'BASE_IMAGE')
        .map(([argument, value]) => `${argument}=${value}`);
      const args = pairs.flatMap((pair) =>
        name === 'minikube' ? [`--build-opt=build-arg=${pair}`] : ['--build-arg', pair],
      );
      const { status, stdout, stderr } = await run(
        name,
        [...builds, '--tag', image, '--file', file, ...args, '.'],
        { timeoutMs: buildTimeoutMs, cwd: folder, onLine: log },
      );
      if (status === 0) return;
      const lines = `${stdout}\n${stderr}`.trim().split('\n').slice(-toldLines);
      throw new Error(`${name} could not build ${image}:\n${lines.join('\n')}`);
    },
    canHave: async (image) => {
      if (name === 'minikube') return true; // its own node would know
      const inspects = name === 'buildah' ? ['inspect', '--type', 'image'] : ['image', 'inspect'];
      const { status: missing } = await run(name, [...inspects, image], { timeoutMs: lookTimeoutMs });
      if (missing === 0) return true;
      return (await run(name, ['pull', image], { timeoutMs: pullTimeoutMs })).status === 0;
    },
    ownLayers: async (image) => {
      if (name !== 'docker' && name !== 'podman') return undefined;
      const format = '{{.Size}}\t{{.CreatedBy}}';
      const args = ['history', '--no-trunc', '--human=false', '--format', format, image];
      const { status, stdout } = await run(name, args, { timeoutMs: lookTimeoutMs });
      return status === 0 ? sumOwnLayers(stdout) : undefined;
    },
  };
}

/**
 * Adds up what `history` tells, newest layer first, down to the working folder: the first layer of ours, which the base has none of. Undefined where
 * it does not tell.
 */
export function sumOwnLayers(history: string): number | undefined {
  const layers = history.split('\n').map((line) => line.split('\t'));
  const first = layers.findIndex(([, createdBy = '']) => /WORKDIR \/app/.test(createdBy));
  if (first < 0) return undefined;
  const sum = layers.slice(0, first + 1).reduce((total, [size = '']) => total + readBytes(size), 0);
  return Number.isNaN(sum) ? undefined : Math.round(sum);
}

/** `16598123`, and as some versions have it whatever they are asked: `16.6MB`, `99.3 kB`. */
function readBytes(size: string): number {
  const [, number, unit = 'B'] = /^([\d.]+) ?([kMG]?B)?$/.exec(size.trim()) ?? [];
  return Number(number) * { B: 1, kB: 1e3, MB: 1e6, GB: 1e9 }[unit as 'B'];
}
