// The user that a private Postgres runs as: it refuses root. Others run it as themselves.
// Only asks, makes no users.
import { statSync } from 'node:fs';

import type { RunCommand } from '../command.ts';
import type { Owner } from './data-folder.ts';

/** Who owns the data already keeps them: `sudo npm start` after `npm start`, or a user `postgres` that was made since. */
export async function serverOwner(folder: string, run: RunCommand): Promise<Owner | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const found = statSync(folder, { throwIfNoEntry: false });
  if (found !== undefined && found.uid !== 0) return { uid: found.uid, gid: found.gid };
  const owner = await findUnprivilegedUser(run);
  if (owner === undefined) throw new Error('there is no user "postgres" or "nobody" to run Postgres as');
  return owner;
}

/** The packages' user `postgres`, else `nobody`: initdb needs one with a name. Undefined where root may not become either. */
export async function findUnprivilegedUser(run: RunCommand): Promise<Owner | undefined> {
  for (const name of ['postgres', 'nobody']) {
    const owner = await findUser(name, run);
    if (owner !== undefined) return owner;
  }
  return undefined;
}

async function findUser(name: string, run: RunCommand): Promise<Owner | undefined> {
  const ids = await Promise.all(
    ['-u', '-g'].map(async (which) => run('id', [which, name], { timeoutMs: 5_000 })),
  );
  const [uid, gid] = ids.map(({ status, stdout }) => (status === 0 ? Number(stdout) : Number.NaN));
  if (!uid || !gid) return undefined;
  // A container's root may have no other users to become.
  const { status } = await run('/bin/sh', ['-c', ':'], { timeoutMs: 5_000, cwd: '/', uid, gid });
  return status === 0 ? { uid, gid } : undefined;
}
