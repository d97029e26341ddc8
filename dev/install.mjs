// Runs before every npm script, on whatever Node the machine has: installs the locked packages where they are missing or stale. Arguments name
// folders with a package-lock.json of their own, such as `bench`, whose packages only some commands need: nobody else installs those.
// Plain JavaScript without imports of packages, because there are none yet.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
for (const folder of ['.', ...process.argv.slice(2)]) install(folder);
// npm puts node_modules/.bin before everything else on the PATH of a script: the locked Node, where there is one for this platform.
if (!existsSync(join(root, 'node_modules/.bin/node')) && Number(process.versions.node.split('.')[0]) < 24) {
  console.error(
    `Warren needs Node 24, and has none to bring along for ${process.platform} ${process.arch}: install it.`,
  );
  process.exit(1);
}

function install(folder) {
  const stamp = join(root, folder, 'node_modules/.installed-lock.json');
  const lock = readFileSync(join(root, folder, 'package-lock.json'), 'utf8');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  console.error(`Installing the packages of ${join(folder, 'package-lock.json')} (npm ci) …`);
  const npm = process.env.npm_execpath;
  const [command, ...first] = npm ? [process.execPath, npm] : ['npm'];
  const { status } = spawnSync(command, [...first, 'ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: join(root, folder),
    // Standard output belongs to the command that follows.
    stdio: ['inherit', 2, 2],
  });
  if (status !== 0) process.exit(status ?? 1);
  writeFileSync(stamp, lock);
}
