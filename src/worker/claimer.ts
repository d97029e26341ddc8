/**
 * Claims jobs for the deliveries of all channels, by group commit, and without messages; knows what this process holds.
 *
 * Guarantees: nothing is claimed while this worker's presence is not held (others would take it for dead); a job that runs, here or under another
 * living owner, is not claimed, nor is one of a type that this worker does not know; a delivery whose job has larger arguments than there is room for
 * waits for it, in turn, while its job stays available; a job that is refused and not at its end has its message noted as spent, so that the relay
 * sends another.
 */
import { Batcher } from '#shared/base/batcher.ts';
import { Unavailable } from '#shared/base/errors.ts';
import type { Events } from '#shared/observe/events.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { Presence } from '#shared/postgres/presence.ts';
import type { Claim, Claimant } from '#shared/postgres/statements/claim.ts';
import type { FreeSlots } from '#shared/postgres/statements/claim-next.ts';
import { claimNextJobs } from '#shared/postgres/statements/claim-next.ts';
import { texts } from '#shared/postgres/statements/parts.ts';
import { spendMessages } from '#shared/postgres/statements/publish.ts';
import type { ArgsRoom } from './args-room.ts';
import { LARGE_ABOVE_BYTES } from './args-room.ts';
import type { ClaimResult, GroupClaimResult } from './claim-results.ts';
import { claimsIn } from './claim-results.ts';
import type { GroupClaimContext } from './group-claim.ts';
import { GroupClaim } from './group-claim.ts';
import type { HeldJobs } from './held-jobs.ts';
import { QueueClaims } from './queue-claims.ts';
import { isMessageSpent, mayStartAnother } from './refusal.ts';
import { StartMarks } from './start-marks.ts';
import { Takeover } from './takeover.ts';

/** A message that came: `redelivered` as the broker says, so that its earlier consumer has lost it or has given it back. */
export interface Delivered {
  id: string;
  redelivered: boolean;
  /** Where it came from. Undefined: there is no message, the job's row says that it runs here. */
  queue?: string | undefined;
}

export interface ClaimerOptions {
  database: Database;
  events: Events;
  presence: Presence;
  room: ArgsRoom;
  held: HeldJobs;
  /** The job types that this worker knows. */
  types: readonly string[];
}

export class Claimer {
  readonly #database: Database;
  readonly #presence: Presence;
  readonly #startMarks: StartMarks;
  readonly #takeover: Takeover;
  /** The job types that this worker knows, as a literal of `texts`. */
  readonly #types: string;
  readonly #room: ArgsRoom;
  readonly #held: HeldJobs;
  /** Jobs whose delivery waits for room: another delivery of the same job is not wanted. */
  readonly #waiting = new Set<string>();
  readonly #delivered: Record<string, number> = {};
  /** The claim without messages that is under way. */
  #asking: Promise<unknown> = Promise.resolve();
  readonly #claims: QueueClaims;
  readonly #spent: Batcher<string, undefined>;

  constructor({ database, events, presence, room, held, types }: ClaimerOptions) {
    this.#database = database;
    this.#presence = presence;
    this.#room = room;
    this.#types = texts(types);
    this.#held = held;
    this.#startMarks = new StartMarks({
      tell: (claimNumber) => presence.tellStarted(claimNumber),
      owner: () => this.#owner(),
      isRunning: () => this.#held.size > 0,
    });
    const shared = { database, room, held };
    this.#takeover = new Takeover({
      ...shared,
      events,
      startMarks: this.#startMarks,
      types: this.#types,
      owner: () => this.#owner(),
    });
    const context: GroupClaimContext = {
      ...shared,
      types: new Set(types),
      isTakenOver: (id) => this.#takeover.isUnderWay(id),
      laneClaim: () => this.#asking,
      onClaimed: (claim) => this.#noteDelivery(claim),
    };
    this.#claims = new QueueClaims((wishes, group) =>
      this.#startMarks.claimed(
        (claimant) => new GroupClaim(context, { ...claimant, ...group, types: this.#types }).claim(wishes),
        claimsIn,
      ),
    );
    this.#spent = new Batcher({
      run: async (ids) => {
        await database.query((sql) => spendMessages(sql, ids));
        return ids.map(() => undefined);
      },
    });
  }

  /**
   * Claims the delivered job, or another of its queue that goes first. Waits for room where the job's arguments want more than there is; undefined where `draining` aborts meanwhile. Throws `Unavailable` where nobody can
   * tell now; the claim may have been made all the same, and a later call finds it.
   */
  async claim(delivered: Delivered, draining: AbortSignal): Promise<ClaimResult | undefined> {
    const { id, redelivered, queue } = delivered;
    if (this.#waiting.has(id) && !redelivered) return { kind: 'refused', reason: 'twice' };
    if (redelivered && !this.holds(id)) {
      const claim = await this.#takeover.takeOver(id, draining);
      if (claim !== undefined) return { kind: 'claimed', claim };
    }
    let result = await this.#claims.add({ id, hasRoom: false }, queue);
    while (result.kind === 'no-room') {
      const settled = await this.#claimInTurn(delivered, result.wantsBytes, draining);
      if (settled === undefined) return undefined;
      result = mayStartAnother(settled) ? await this.#claims.add({ id, hasRoom: false }, queue) : settled;
    }
    if (result.kind === 'refused' && isMessageSpent(result)) await this.#spent.add(id);
    return result;
  }

  /** Claims what is available, without a message. Throws `Unavailable`. */
  async claimNext(wanted: readonly FreeSlots[]): Promise<Claim[]> {
    const asking = this.#startMarks.claimed(
      (claimant) => this.#claimNext(wanted, claimant),
      (claims) => claims,
    );
    this.#asking = asking.catch(() => {}); // who asks is told
    return await asking;
  }

  async #claimNext(wanted: readonly FreeSlots[], claimant: Claimant): Promise<Claim[]> {
    const { small, large } = this.#room;
    const smallBytes = small.takeUpTo(small.maxBytes);
    const largeBytes = large.takeUpTo(large.maxBytes);
    const budget = { smallBytes, largeBytes, largeAbove: LARGE_ABOVE_BYTES, mostBytes: large.maxBytes };
    const except = this.#held.ids;
    const askedAt = this.#held.restorations;
    try {
      const claims = await this.#database.query((sql) =>
        claimNextJobs(sql, { wanted, except, budget, ...claimant, types: this.#types }),
      );
      this.#held.hold(claims, askedAt);
      return claims;
    } finally {
      small.give(smallBytes);
      large.give(largeBytes);
    }
  }

  /** Whether this process has a live attempt of the job. */
  holds(id: string): boolean {
    return this.#held.has(id);
  }

  /** Whether rows may say that jobs run here. */
  get mayHold(): boolean {
    return this.#held.size > 0 || this.#startMarks.hasUnheard;
  }

  /** The claim's handler starts now: from here on the attempt is charged, should this worker die. */
  started(claim: Claim): void {
    this.#startMarks.started(claim);
  }

  /** The attempt is over and recorded. */
  release(claim: Claim): void {
    this.#startMarks.started(claim); // one that was handed back holds nothing up
    this.#held.release(claim);
  }

  /** By queue, the latest due time among the jobs that were delivered here: their messages were published after it. */
  get delivered(): Readonly<Record<string, number>> {
    return this.#delivered;
  }

  #noteDelivery({ queue, dueAt }: Claim): void {
    if (dueAt > (this.#delivered[queue] ?? 0)) this.#delivered[queue] = dueAt;
  }

  #owner(): string {
    const { held, owner } = this.#presence;
    if (!held || owner === undefined) throw new Unavailable('no_presence', 'the presence is not held');
    return owner;
  }

  /** Waits for room and claims the job then. Undefined where the worker drains first. */
  async #claimInTurn(
    { id, queue }: Delivered,
    argsBytes: number,
    draining: AbortSignal,
  ): Promise<GroupClaimResult | undefined> {
    this.#waiting.add(id);
    try {
      if (!(await this.#room.take(argsBytes, draining))) return undefined;
    } finally {
      this.#waiting.delete(id);
    }
    try {
      return await this.#claims.add({ id, hasRoom: true }, queue);
    } finally {
      this.#room.give(argsBytes); // a claim that was made is counted by itself
    }
  }
}
