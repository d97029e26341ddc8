/**
 * The group commits of claims, one for each queue: what the deliveries of a queue may start is decided by what waits in that queue.
 */
import { Batcher } from '#shared/base/batcher.ts';
import type { GroupClaimResult } from './claim-results.ts';
import type { Wish } from './group-claim.ts';
import { PermitPeriod } from './permit-period.ts';

/** `queue`: that of the deliveries; undefined where there are none. */
export interface QueueGroup {
  queue: string | undefined;
  period: PermitPeriod;
}

export class QueueClaims {
  readonly #run: (wishes: readonly Wish[], group: QueueGroup) => Promise<GroupClaimResult[]>;
  readonly #byQueue = new Map<string | undefined, Batcher<Wish, GroupClaimResult>>();

  constructor(run: (wishes: readonly Wish[], group: QueueGroup) => Promise<GroupClaimResult[]>) {
    this.#run = run;
  }

  add(wish: Wish, queue: string | undefined): Promise<GroupClaimResult> {
    const batcher = this.#byQueue.get(queue) ?? this.#open(queue);
    return batcher.add(wish);
  }

  #open(queue: string | undefined): Batcher<Wish, GroupClaimResult> {
    const group = { queue, period: new PermitPeriod() };
    const batcher = new Batcher<Wish, GroupClaimResult>({ run: (wishes) => this.#run(wishes, group) });
    this.#byQueue.set(queue, batcher);
    return batcher;
  }
}
