// A folder for servers that a test starts by itself; its database's files, which belong to another user, go with it.
import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { discardFolder } from '../../dev/services/data-folder.ts';

/** Below the folder of the test servers, where the next run and Ctrl-C find what a killed test left behind. */
export function testFolder(name: string): Disposable & { path: string } {
  const path = resolve(import.meta.dirname, '../../.services/test', name);
  return {
    path,
    [Symbol.dispose]: () => {
      discardFolder(join(path, 'postgres'));
      rmSync(path, { recursive: true, force: true });
    },
  };
}
