// Loaded before a program: kills it at one exact place, without a hook in src/, by the events that it publishes there anyway.
// FAILPOINT=after-commit: `job.enqueued` comes between the commit and the publish. FAILPOINT=after-confirm: `publish.confirmed` comes between the
// broker's confirm and the mark. FAILPOINT_COUNT: at which of these events. SIGKILL to itself: nothing of the process runs any more.
// FAULT_SOURCE names the source tree that the program runs, whose class it is.
import type { EventName, Events as EventsOfAProgram } from '../../../src/shared/observe/events.ts';

const source = process.env['FAULT_SOURCE'] ?? new URL('../../../src', import.meta.url).pathname;
const { Events } = (await import(`${source}/shared/observe/events.ts`)) as {
  Events: typeof EventsOfAProgram;
};

const names: Record<string, EventName> = {
  'after-commit': 'job.enqueued',
  'after-confirm': 'publish.confirmed',
};
const awaited = names[process.env['FAILPOINT'] ?? ''];
if (awaited !== undefined) {
  const { publish } = Events.prototype;
  let left = Number(process.env['FAILPOINT_COUNT'] ?? '1');
  Events.prototype.publish = function publishOrDie(name, message) {
    if (name === awaited) left -= 1;
    if (left === 0) process.kill(process.pid, 'SIGKILL');
    publish.call(this, name, message);
  };
}
