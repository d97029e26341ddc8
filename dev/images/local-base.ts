// A base image for a machine that reaches no image registry: Debian's minimal system by debootstrap, with the Node and npm that this command runs
// on. Needs root, because debootstrap does. For checking the images, not for shipping them.
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { runCommand } from '../command.ts';
import { readEnvironment } from '../environment.ts';
import type { Builder } from './builders.ts';

const suite = 'bookworm';
const bootstrapTimeoutMs = 10 * 60_000;
const dockerfile = `FROM scratch
ADD rootfs.tar /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
`;

export async function makeLocalBase({
  builder,
  log,
}: {
  builder: Builder;
  log: (line: string) => void;
}): Promise<string> {
  const image = `localhost/warren-base:${process.version}-${suite}`;
  if (await builder.canHave(image)) return image;
  const folder = mkdtempSync(join(tmpdir(), 'warren-base-'));
  try {
    const rootfs = join(folder, 'rootfs');
    log(`Making ${image} with debootstrap …`);
    await must('debootstrap', ['--variant=minbase', suite, rootfs]);
    addNode(rootfs);
    await must('tar', ['--create', '--file', join(folder, 'rootfs.tar'), '--directory', rootfs, '.']);
    rmSync(rootfs, { recursive: true });
    writeFileSync(join(folder, 'Dockerfile'), dockerfile);
    await builder.build({ image, file: 'Dockerfile', folder, arguments: {}, log });
    return image;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function must(command: string, args: readonly string[]): Promise<void> {
  const { status, stdout, stderr } = await runCommand(command, args, { timeoutMs: bootstrapTimeoutMs });
  if (status === 0) return;
  throw new Error(`${command} failed: ${`${stdout}\n${stderr}`.trim().split('\n').slice(-5).join('\n')}`);
}

/** As the official image has them: in /usr/local. npm says where it stands when it runs a script. */
function addNode(rootfs: string): void {
  const npmMain = readEnvironment().inherited['npm_execpath'];
  if (npmMain === undefined) throw new Error('start this with npm: npm run images -- --base local');
  const npmFolder = dirname(dirname(realpathSync(npmMain)));
  const modules = join(rootfs, 'usr/local/lib/node_modules');
  mkdirSync(modules, { recursive: true });
  cpSync(npmFolder, join(modules, 'npm'), { recursive: true });
  cpSync(realpathSync(process.execPath), join(rootfs, 'usr/local/bin/node'));
  const npm = '#!/bin/sh\nexec node /usr/local/lib/node_modules/npm/bin/npm-cli.js "$@"\n';
  writeFileSync(join(rootfs, 'usr/local/bin/npm'), npm, { mode: 0o755 });
}
