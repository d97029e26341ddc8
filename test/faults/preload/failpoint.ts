// Loaded before a program: kills it at one exact place, without a hook in src/, by the events that it publishes there anyway.
// FAILPOINT=after-commit: `job.enqueued` comes between the commit and the publish. FAILPOINT=after-confirm: `publish.confirmed` comes between the
// broker's confirm and the mark. FAILPOINT_COUNT: at which of these events. SIGKILL to itself: nothing of the process runs any more.
import { channel } from 'node:diagnostics_channel';

const channels: Record<string, string> = {
  'after-commit': 'warren:job.enqueued',
  'after-confirm': 'warren:publish.confirmed',
};
const name = channels[process.env['FAILPOINT'] ?? ''];
if (name !== undefined) {
  let left = Number(process.env['FAILPOINT_COUNT'] ?? '1');
  channel(name).subscribe(() => {
    left -= 1;
    if (left === 0) process.kill(process.pid, 'SIGKILL');
  });
}
