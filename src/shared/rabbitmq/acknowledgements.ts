/**
 * Acknowledges the deliveries of one channel, those of a turn of the event loop together: a run of the oldest ones with one frame.
 *
 * Guarantees: acknowledges only what it was told to; a delivery that is not settled yet is never covered by the frame of a later one. A channel
 * that has gone is no error here: the broker redelivers. Must not know what a delivery stands for.
 */
import { setImmediate } from 'node:timers';
import type { Channel, Message } from 'amqplib';

export class Acknowledgements {
  readonly #channel: Channel;
  /** What the broker waits for, in the order of delivery. */
  readonly #unsettled = new Set<Message>();
  #acknowledged = new Set<Message>();

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** Every delivery, as it comes. */
  delivered(message: Message): void {
    this.#unsettled.add(message);
  }

  ack(message: Message): void {
    if (this.#acknowledged.size === 0) setImmediate(() => this.#send());
    this.#acknowledged.add(message);
  }

  /** Gives the delivery back to its queue, or with `requeue` false to the dead-letter exchange. Throws where the channel has gone. */
  nack(message: Message, { requeue }: { requeue: boolean }): void {
    this.#unsettled.delete(message);
    this.#channel.nack(message, false, requeue);
  }

  /** Sends now what waits for the end of the turn: before its channel is closed. */
  flush(): void {
    this.#send();
  }

  #send(): void {
    const acknowledged = this.#acknowledged;
    this.#acknowledged = new Set();
    let last: Message | undefined;
    for (const message of this.#unsettled) {
      if (!acknowledged.delete(message)) break;
      this.#unsettled.delete(message);
      last = message;
    }
    try {
      if (last !== undefined) this.#channel.ack(last, true);
      for (const message of acknowledged) {
        this.#unsettled.delete(message);
        this.#channel.ack(message);
      }
    } catch {
      // The channel has gone, and what it had not settled is redelivered.
    }
  }
}
