// A worker whose log goes to a device that is full.
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../../..');

/** It logs whatever happens to a job. It ends with this process. */
export async function muteWorker(env: Readonly<Record<string, string>>): Promise<ChildProcess> {
  const output = openSync('/dev/full', 'w');
  const child = spawn(process.execPath, ['src/worker/main.ts'], {
    cwd: root,
    env: { PATH: '/usr/bin:/bin', LOG_LEVEL: 'trace', ...env },
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  process.once('exit', () => child.kill('SIGKILL'));
  return child;
}
