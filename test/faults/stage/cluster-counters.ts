// The publishes that the nodes of a cluster have confirmed together, a node's earlier lives included.
// Asked once a second: what a node counts between the last question and its end is missed.
import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../../../bench/stage/monotonic.ts';
import type { ClusterNode } from '../../../dev/services/cluster-node.ts';

const EVERY_MS = 1_000;
const CONFIRMED = /^rabbitmq_global_messages_confirmed_total\{.*\} (\d+)/gm;

interface Tally {
  /** From lives that have ended. */
  before: number;
  now: number;
}

export class ClusterCounters {
  readonly #nodes: readonly ClusterNode[];
  /** By node. */
  readonly #tallies = new Map<string, Tally>();
  readonly #confirmedAt: { at: number; count: number }[] = [];

  constructor(nodes: readonly ClusterNode[]) {
    this.#nodes = nodes;
  }

  /** Until the signal aborts. Never rejects. */
  async watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.look();
      await delay(EVERY_MS, undefined, { signal }).catch(() => {}); // aborted: that ends it
    }
  }

  async look(): Promise<void> {
    await Promise.all(this.#nodes.filter(({ running }) => running).map((node) => this.#lookAt(node)));
    this.#confirmedAt.push({ at: monotonicMs(), count: this.#total() });
  }

  #total(): number {
    return [...this.#tallies.values()].reduce((sum, { before, now }) => sum + before + now, 0);
  }

  /** The longest time between two moments in which confirms were seen to rise; longer than the silence by one question at most. */
  longestSilenceMs({ from, to }: { from: number; to: number }): number {
    let longest = 0;
    let roseAt = from;
    let last: number | undefined;
    for (const { at, count } of this.#confirmedAt) {
      if (at < from || at > to) continue;
      if (last === undefined || count > last) {
        longest = Math.max(longest, at - roseAt);
        roseAt = at;
      }
      last = count;
    }
    return Math.max(longest, to - roseAt);
  }

  async #lookAt(node: ClusterNode): Promise<void> {
    const text = await node.metrics().catch(() => undefined);
    if (text === undefined) return;
    const now = [...text.matchAll(CONFIRMED)].reduce((sum, [, count]) => sum + Number(count), 0);
    const tally = this.#tallies.get(node.name) ?? { before: 0, now: 0 };
    // A counter that fell began anew.
    const before = now < tally.now ? tally.before + tally.now : tally.before;
    this.#tallies.set(node.name, { before, now });
  }
}
