/**
 * Ends this process when its parent has gone, or when it takes more memory than it may, from a thread of its own: a handler that blocks the event loop
 * would hear of neither.
 *
 * The memory is all that the process holds (its resident set), buffers and native libraries included, which no limit of V8's knows.
 */
import { Worker as Thread } from 'node:worker_threads';

const LOOK_EVERY_MS = 250;
const BYTES_PER_MB = 1_048_576;

/** Source of the thread: text, so that it needs no file of its own. `process.ppid` is read anew each time. Out of memory ends it as V8 would: SIGABRT. */
const WATCH = `
  const { workerData: maxBytes } = require('node:worker_threads');
  const parent = process.ppid;
  const look = () => {
    if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL');
    if (process.memoryUsage.rss() > maxBytes) process.kill(process.pid, 'SIGABRT');
    setTimeout(look, ${LOOK_EVERY_MS});
  };
  look();
`;

/** The thread keeps the process alive: end it with `process.exit`. */
export function watchProcess(memoryMb = Number.POSITIVE_INFINITY): void {
  new Thread(WATCH, { eval: true, workerData: memoryMb * BYTES_PER_MB });
}
