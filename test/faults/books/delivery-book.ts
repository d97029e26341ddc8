// The delivery book: how many jobs the broker has delivered to the workers of a row. One file per process, outside of everything that a fault can
// touch, with one byte for each job; the broker itself counts messages, and a message carries several jobs.
// What was delivered is handed to the kernel before the worker does anything with it, so that `kill -9` loses nothing.
import { globSync, openSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Returns the function that notes a delivery of so many jobs. */
export function openDeliveryBook(folder: string): (jobs: number) => void {
  let file: number | undefined;
  return (jobs) => {
    file ??= openSync(join(folder, `deliveries-${process.pid}`), 'a');
    writeSync(file, '.'.repeat(jobs));
  };
}

export function countDeliveries(folder: string): number {
  const files = globSync('deliveries-*', { cwd: folder });
  return files.reduce((sum, file) => sum + statSync(join(folder, file)).size, 0);
}
