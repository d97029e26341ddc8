// The package's manifest as it is published: entry points in `dist/`, and nothing that only the repository needs. Pure.

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly license: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly [member: string]: unknown;
}

/** Our declarations name Node's types, so that who installs the package needs them too. */
const TYPES_OF_NODE = '@types/node';

const compiled = (name: string) => ({ types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` });

export function publishedManifest(manifest: Manifest): Record<string, unknown> {
  const { name, version, description, license, keywords, dependencies, devDependencies } = manifest;
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
    dependencies: { ...dependencies, [TYPES_OF_NODE]: `${devDependencies[TYPES_OF_NODE]}` },
  };
}
