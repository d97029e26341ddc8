/**
 * The slots of a queue in a worker: how many of its jobs run at once, whichever channel has brought them. Ids that find no free slot wait here,
 * unclaimed and in order.
 *
 * Guarantees: no more handlers at once than there are slots, and no more than as many outcomes on their way behind them; while the jobs here
 * outnumber the messages that the broker waits for, none of those is acknowledged, because the broker counts messages and would send more than there
 * are slots for. Knows neither Postgres nor AMQP.
 */
import type { DeliveredMessage } from './delivered-message.ts';

/** One job of a message. */
export interface Hint {
  id: string;
  delivered: DeliveredMessage;
  /** It is not taken out before, by the clock of `performance`. */
  staysUntil?: number;
}

export interface SlotsOptions {
  slots: number;
  /** Called when an id waits where none has waited before. */
  onWaiting: () => void;
}

export class Slots {
  #size: number;
  readonly #onWaiting: () => void;
  readonly #waiting = new Set<Hint>();
  /** Messages whose jobs are done, in that order; not acknowledged yet. */
  readonly #finished: DeliveredMessage[] = [];
  #running = 0;
  /** Their handlers have ended, their outcomes are not recorded. */
  #recording = 0;
  /** Messages that the broker waits for. */
  readonly #unsettled = new Set<DeliveredMessage>();
  #started = 0;
  #isDraining = false;

  constructor({ slots, onWaiting }: SlotsOptions) {
    this.#size = slots;
    this.#onWaiting = onWaiting;
  }

  /** How many jobs run at once. */
  get size(): number {
    return this.#size;
  }

  /** How many ids wait for a slot. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** How many ids have got a slot so far. */
  get started(): number {
    return this.#started;
  }

  /** From now on so many jobs run at once. Where there are fewer slots than before, what runs goes on. */
  resize(slots: number): void {
    this.#size = slots;
    this.#admit();
  }

  /** A message is here; `enter` follows for each of its jobs. */
  delivered(delivered: DeliveredMessage): void {
    this.#unsettled.add(delivered);
  }

  /** A channel was followed by another: the broker waits no more for what the former has brought. */
  forgetLost(): void {
    for (const delivered of this.#unsettled)
      if (!delivered.handling.isCurrent(delivered)) this.#unsettled.delete(delivered);
  }

  /** Runs the job when a slot is free. */
  enter(hint: Hint): void {
    if (this.#isDraining) hint.delivered.done('requeue');
    else if (this.#hasFree()) void this.#run(hint);
    else this.#wait(hint);
  }

  /** The message is to be acknowledged, at once or later. */
  acknowledge(delivered: DeliveredMessage): void {
    this.#finished.push(delivered);
    this.#acknowledgeExcess();
  }

  /** The message was settled otherwise. */
  settled(delivered: DeliveredMessage): void {
    this.#unsettled.delete(delivered);
  }

  /**
   * Takes out ids that have waited so long, all but the first `keep`. Whoever takes them ends them, or lets them `enter` again. Those whose channel
   * has gone are ended here: the broker delivers them again.
   */
  takeWaiting({ waitedMs, keep, atMost }: { waitedMs: number; keep: number; atMost: number }): Hint[] {
    const taken: Hint[] = [];
    const now = performance.now();
    let place = 0;
    for (const hint of this.#waiting) {
      place += 1;
      if (place <= keep || now < Math.max(hint.delivered.since + waitedMs, hint.staysUntil ?? 0)) continue;
      if (taken.length === atMost) break;
      this.#waiting.delete(hint);
      if (hint.delivered.handling.isCurrent(hint.delivered)) taken.push(hint);
      else hint.delivered.done('unacked');
    }
    return taken;
  }

  /**
   * Gives back to the broker what waits, and what comes from now on. What runs goes on. A message goes back as a whole, so what waits beside a running
   * job of its message would go back no sooner than that job has ended: these ids are returned, and whoever gets them ends them.
   */
  drain(): Hint[] {
    this.#isDraining = true;
    const waiting = Map.groupBy(this.#waiting, ({ delivered }) => delivered);
    this.#waiting.clear();
    const besideRunning: Hint[] = [];
    for (const [delivered, hints] of waiting) {
      if (hints.length < delivered.left && delivered.handling.isCurrent(delivered))
        besideRunning.push(...hints);
      else for (const _ of hints) delivered.done('requeue');
    }
    this.#acknowledgeExcess();
    return besideRunning;
  }

  #hasFree(): boolean {
    return this.#running < this.#size && this.#running + this.#recording < 2 * this.#size;
  }

  #wait(hint: Hint): void {
    this.#waiting.add(hint);
    if (this.#waiting.size === 1) this.#onWaiting();
  }

  async #run({ id, delivered }: Hint): Promise<void> {
    this.#running += 1;
    this.#started += 1;
    let isRecording = false;
    const handlerEnded = () => {
      isRecording = true;
      this.#running -= 1;
      this.#recording += 1;
      this.#admit();
    };
    const settlement = await delivered.handling.run(id, delivered, handlerEnded);
    if (isRecording) this.#recording -= 1;
    else this.#running -= 1;
    delivered.done(settlement);
    this.#admit();
  }

  /** What waits gets the slots that are free. What its channel has left behind needs none: the broker delivers it again. */
  #admit(): void {
    for (const hint of this.#waiting) {
      if (!this.#hasFree()) break;
      this.#waiting.delete(hint);
      if (hint.delivered.handling.isCurrent(hint.delivered)) void this.#run(hint);
      else hint.delivered.done('unacked');
    }
    this.#acknowledgeExcess();
  }

  #acknowledgeExcess(): void {
    while (this.#unsettled.size > this.#running + this.#waiting.size) {
      const delivered = this.#finished.shift();
      if (delivered === undefined) return;
      this.#unsettled.delete(delivered);
      delivered.handling.acknowledge(delivered);
    }
  }
}
