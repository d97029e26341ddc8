// Whether the load is digested and the fleet as small as it may be. Pure.
import { totalQueues } from './queues.ts';
import type { Snapshot } from './watcher.ts';

/** Where no autoscaler is known, empty queues suffice; where the queues are not known, nothing does. */
export function isSettled({ queues, autoscalers, pods }: Snapshot): boolean {
  if (!queues.ok) return false;
  const { waiting, running } = totalQueues(queues.value);
  if (waiting > 0 || running > 0) return false;
  if (!autoscalers.ok) return true;
  return autoscalers.value.every(({ target, min, current, desired }) => {
    if (current !== min || desired !== min) return false;
    // Those that are ending count as well: they still work.
    return (
      !pods.ok ||
      pods.value.filter(({ workload, status }) => workload === target && status !== 'Completed').length ===
        min
    );
  });
}
