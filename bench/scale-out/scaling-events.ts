// What the scale-out did and when: what the autoscalers wanted, which pods came, became ready and went. Found by comparing what is known
// now with what was known last; what is not known says nothing, and nothing is concluded from it.
// Guarantees: bounded: the latest `MAX_EVENTS` are kept, and it is told how many were before them.
import type { Autoscaler } from '../../src/cli/cluster/autoscalers.ts';
import type { Pod } from '../../src/cli/cluster/pods.ts';
import { isLive } from '../../src/cli/cluster/pods.ts';
import type { Snapshot } from './watcher.ts';

export interface ScalingEvent {
  /** Since the beginning, as it was noticed. */
  seconds: number;
  kind: 'desired' | 'created' | 'ready' | 'terminating' | 'gone' | 'restarted';
  /** The autoscaler's target, or the pod's workload. */
  workload: string;
  text: string;
}

export const MAX_EVENTS = 500;

export class ScalingEvents {
  readonly #events: ScalingEvent[] = [];
  #pods: ReadonlyMap<string, Pod> | undefined;
  #desired = new Map<string, number>();
  #dropped = 0;

  /** Oldest first. */
  get all(): readonly ScalingEvent[] {
    return this.#events;
  }

  get dropped(): number {
    return this.#dropped;
  }

  look({ pods, autoscalers }: Snapshot, seconds: number): void {
    if (autoscalers.ok) for (const autoscaler of autoscalers.value) this.#compareDesired(autoscaler, seconds);
    if (!pods.ok) return;
    const now = new Map(pods.value.map((pod) => [pod.name, pod]));
    const before = this.#pods;
    this.#pods = now;
    if (before === undefined) return; // what was there at the beginning is no event
    for (const pod of now.values()) this.#comparePod(before.get(pod.name), pod, seconds);
    for (const { name, workload } of before.values())
      if (!now.has(name)) this.#add({ seconds, kind: 'gone', workload, text: `${name} is gone` });
  }

  #compareDesired({ target, desired, metrics }: Autoscaler, seconds: number): void {
    if (desired === undefined) return;
    const former = this.#desired.get(target);
    this.#desired.set(target, desired);
    if (former === undefined || former === desired) return;
    const why = metrics.map(
      ({ name, current, target: wanted }) => `${name} ${current ?? 'unknown'}/${wanted}`,
    );
    const text = `${target}: ${former} → ${desired} replicas wanted (${why.join(', ')})`;
    this.#add({ seconds, kind: 'desired', workload: target, text });
  }

  #comparePod(former: Pod | undefined, pod: Pod, seconds: number): void {
    const { name, workload, ready, restarts } = pod;
    if (former === undefined) this.#add({ seconds, kind: 'created', workload, text: `${name} is created` });
    if (ready && !former?.ready)
      this.#add({ seconds, kind: 'ready', workload, text: `${name} is ready${sinceCreated(pod)}` });
    if (!isLive(pod) && (former === undefined || isLive(former)))
      this.#add({ seconds, kind: 'terminating', workload, text: `${name} ends (${pod.status})` });
    if (former !== undefined && restarts > former.restarts)
      this.#add({ seconds, kind: 'restarted', workload, text: `${name} was restarted` });
  }

  #add(event: ScalingEvent): void {
    this.#events.push(event);
    if (this.#events.length <= MAX_EVENTS) return;
    this.#events.shift();
    this.#dropped += 1;
  }
}

/** By the cluster's clock on both ends. */
function sinceCreated({ createdAt, readyAt }: Pod): string {
  if (createdAt === undefined || readyAt === undefined) return '';
  return `, ${Math.round((readyAt.getTime() - createdAt.getTime()) / 1_000)} s after it was created`;
}
