/**
 * Ends this process when its parent has gone, from a thread of its own: a handler that blocks the event loop would never hear of it.
 */
import { Worker as Thread } from 'node:worker_threads';

const LOOK_EVERY_MS = 250;

/** Source of the thread: text, so that it needs no file of its own. `process.ppid` is read anew each time. */
const WATCH = `
  const parent = process.ppid;
  const look = () => {
    if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL');
    setTimeout(look, ${LOOK_EVERY_MS});
  };
  look();
`;

/** The thread keeps the process alive: end it with `process.exit`. */
export function endWithParent(): void {
  new Thread(WATCH, { eval: true });
}
