// The package's manifest as it is published: entry points in `dist/`, and nothing that only the repository needs. Pure.

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly license: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly [member: string]: unknown;
}

/** Our declarations name Node's types, so that who installs the package needs them too: whichever they have, from the oldest Node that is promised. */
const TYPES_OF_NODE = { '@types/node': '>=22' };
/** An application's routes and schemas meet ours: it must be possible to have one copy of these for both, or their types do not fit each other. */
const SHARED = ['hono', 'zod'];

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
      './package.json': './package.json',
    },
    bin: { warren: 'dist/src/cli/main.js' },
    files: ['dist'],
    dependencies: {
      ...Object.fromEntries(
        Object.entries(dependencies).map(([name, exact]) => [
          name,
          SHARED.includes(name) ? `^${exact}` : exact,
        ]),
      ),
      ...TYPES_OF_NODE,
    },
  };
}
