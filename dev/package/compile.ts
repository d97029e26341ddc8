// Compiles the sources into `dist/`: ES modules and declarations for projects that install the package. The repository itself runs its TypeScript.
// Guarantees: what is left of an earlier run is gone; no specifier in `dist/` needs a setting of the repository to be resolved.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';

/** Throws where the compiler refuses the sources. */
export function compile(root: string): void {
  const copy = resolve(root, 'packaging');
  const dist = resolve(root, 'dist');
  for (const folder of [copy, dist]) rmSync(folder, { recursive: true, force: true });
  for (const file of globSync(['src/**/*.ts', 'examples/shop/*.ts'], { cwd: root })) {
    const text = withRelativeImports(readFileSync(resolve(root, file), 'utf8'), file);
    mkdirSync(dirname(resolve(copy, file)), { recursive: true });
    writeFileSync(resolve(copy, file), text);
  }
  // Standard output belongs to npm: `npm pack --json`.
  const { status } = spawnSync('tsc', ['-p', 'tsconfig.package.json'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0) throw new Error('the sources do not compile');
  rmSync(copy, { recursive: true });
  for (const file of globSync('**/*.d.ts', { cwd: dist })) {
    // The compiler leaves the declarations as they are.
    const text = readFileSync(resolve(dist, file), 'utf8');
    writeFileSync(resolve(dist, file), text.replaceAll(/(['"])(\.{1,2}\/[\w./-]+)\.ts\1/g, '$1$2.js$1'));
  }
  for (const file of globSync('src/**/*.sql', { cwd: root }))
    cpSync(resolve(root, file), resolve(dist, file));
  for (const file of globSync('src/cli/main.js', { cwd: dist })) chmodSync(resolve(dist, file), 0o755);
}

/**
 * `#shared/log.ts` becomes `../shared/log.ts`, and in an example `warren/app` becomes `../../src/app.ts`: the compiler makes `.js` of relative specifiers
 * only, and takes what it compiles from the copy alone. `file` counts from the root on.
 */
export function withRelativeImports(text: string, file: string): string {
  const toRelative = (quote: string, target: string) => {
    const found = relative(dirname(file), `src/${target}`);
    return `${quote}${found.startsWith('.') ? found : `./${found}`}${quote}`;
  };
  const own = text.replaceAll(/(['"])#([\w./-]+\.ts)\1/g, (_, quote: string, target: string) =>
    toRelative(quote, target),
  );
  if (!file.startsWith('examples/')) return own;
  return own.replaceAll(
    /(\bfrom )(['"])warren(?:\/(\w+))?\2/g,
    (_, from: string, quote: string, face = 'index') => `${from}${toRelative(quote, `${face}.ts`)}`,
  );
}
