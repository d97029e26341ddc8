// Folders for the data of a server, and the secret that is kept with them.
// A server under another user must be able to reach its folder, which a checkout below /root does not allow.
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import type { RunCommand } from '../command.ts';

export type Owner = { readonly uid: number; readonly gid: number };

/**
 * Makes the folder for its owner alone and answers its real path. Where the owner cannot reach it, the folder becomes
 * a link to a private one under the system's temporary folder.
 */
export async function ownedFolder({
  folder,
  owner,
  run,
}: {
  folder: string;
  owner: Owner | undefined;
  run: RunCommand;
}): Promise<string> {
  if (isLink(folder)) {
    if (existsSync(folder) && statSync(folder).uid === owner?.uid) return realpathSync(folder);
    // The temporary folder was cleared since, or this run has another user: begin anew.
    rmSync(folder);
  }
  mkdirSync(dirname(folder), { recursive: true });
  if (existsSync(folder)) return folder;
  const reachable = owner === undefined || (await canEnter(dirname(folder), owner, run));
  if (reachable) mkdirSync(folder, { mode: 0o700 });
  else symlinkSync(mkdtempSync(join(tmpdir(), 'warren-')), folder);
  if (owner !== undefined) chownSync(folder, owner.uid, owner.gid);
  return realpathSync(folder);
}

/** Removes the folder, and what it links to. */
export function discardFolder(folder: string): void {
  if (isLink(folder)) rmSync(readlinkSync(folder), { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true });
}

/** The password in the file, made on first use: readable for its owner alone. */
export function keptPassword(file: string, owner?: Owner): string {
  if (!existsSync(file)) {
    writeFileSync(file, randomBytes(12).toString('hex'), { mode: 0o600 });
    chmodSync(file, 0o600);
    if (owner !== undefined) chownSync(file, owner.uid, owner.gid);
  }
  return readFileSync(file, 'utf8').trim();
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
}

/** Asked of the kernel rather than computed from modes, which do not tell about ACLs and mount options. */
export async function canEnter(folder: string, { uid, gid }: Owner, run: RunCommand): Promise<boolean> {
  const options = { uid, gid, cwd: '/', timeoutMs: 5_000 };
  return (await run('/bin/sh', ['-c', 'cd "$1"', 'sh', folder], options)).status === 0;
}
