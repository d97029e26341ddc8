// The package's manifest as it is published: entry points in `dist/`, and nothing that only the repository needs. Pure.

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly license: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly [member: string]: unknown;
}

/** Our declarations name Node's types, so that who installs the package needs them too: whichever they have, from the oldest Node that is promised. */
const TYPES_OF_NODE = { '@types/node': '>=22' };
/** An application's routes and schemas meet ours: it must be possible to have one copy of these for both, or their types do not fit each other. */
const SHARED = ['hono', 'zod'];
/** An application's SDK decides: a copy of the API that is newer than the one which the SDK was registered with finds no SDK. */
const RANGES: Readonly<Record<string, string>> = { '@opentelemetry/api': '^1.9.0' };

/** What `warren top --pods` alone needs. It is large, so that the images do without it too: here it is a dependency of the development. */
const ONLY_OF_A_COMMAND = ['@kubernetes/client-node'];

const compiled = (name: string) => ({ types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` });

export function publishedManifest(manifest: Manifest): Record<string, unknown> {
  const { name, version, description, license, keywords, dependencies } = manifest;
  return {
    name,
    version,
    description,
    license,
    keywords,
    type: 'module',
    sideEffects: false,
    engines: { node: '>=22' },
    exports: {
      '.': compiled('src/index'),
      './app': compiled('src/app'),
      './examples/shop': compiled('examples/shop/app'),
      './testing': compiled('src/testing'),
      './proto/*': './proto/*',
      './package.json': './package.json',
    },
    bin: { warren: 'dist/src/cli/main.js' },
    files: ['dist', 'proto'],
    dependencies: {
      ...Object.fromEntries(
        Object.entries(dependencies).map(([name, exact]) => [
          name,
          SHARED.includes(name) ? `^${exact}` : (RANGES[name] ?? exact),
        ]),
      ),
      ...TYPES_OF_NODE,
    },
    ...describePeers(optionalPeers(manifest)),
  };
}

/** By name, with their exact versions. Whoever uses what needs them installs them; npm installs optional dependencies for everybody. */
export function optionalPeers({
  optionalDependencies,
  devDependencies,
}: Pick<Manifest, 'optionalDependencies' | 'devDependencies'>): Record<string, string> {
  const ofCommands = ONLY_OF_A_COMMAND.map((name) => [name, devDependencies[name] ?? ''] as const);
  return { ...optionalDependencies, ...Object.fromEntries(ofCommands) };
}

function describePeers(peers: Readonly<Record<string, string>>): Record<string, unknown> {
  const names = Object.keys(peers);
  return {
    peerDependencies: Object.fromEntries(names.map((name) => [name, `^${peers[name]}`])),
    peerDependenciesMeta: Object.fromEntries(names.map((name) => [name, { optional: true }])),
  };
}
