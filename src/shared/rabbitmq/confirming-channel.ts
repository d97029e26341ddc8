/**
 * A confirm channel that tells of each message whether the broker has it in a queue.
 *
 * Guarantees: every publish resolves, at its deadline at the latest; a message that came back counts as failed although it was confirmed, because
 * `return` is told before the confirm of the same message. Must not know jobs: a message is told by its `messageId`.
 */
import type { ConfirmChannel, Message, Options } from 'amqplib';
import { Unavailable } from '../base/errors.ts';
import type { Events } from '../observe/events.ts';

export const CONFIRM_DEADLINE_MS = 5_000;

export interface OutgoingMessage {
  exchange: string;
  key: string;
  body: Buffer;
  options: Options.Publish;
}

/** What each message has come to until its confirm says otherwise. */
const UNCONFIRMED = new Unavailable(
  'confirm_timeout',
  `RabbitMQ did not confirm within ${CONFIRM_DEADLINE_MS} ms`,
);

export class ConfirmingChannel {
  readonly channel: ConfirmChannel;
  readonly #events: Events;
  readonly #returned = new Set<string>();
  #isOpen = true;

  constructor(channel: ConfirmChannel, events: Events) {
    this.channel = channel;
    this.#events = events;
    channel.on('error', () => {}); // `close` follows; without a listener the connection would go too
    channel.on('close', () => {
      this.#isOpen = false;
    });
    channel.on('return', ({ properties }: Message) => this.#returned.add(properties.messageId));
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Writes at once. Resolves when every message is confirmed or has failed, or the deadline is over. */
  publish(messages: readonly OutgoingMessage[]): Promise<(Unavailable | undefined)[]> {
    const failures: (Unavailable | undefined)[] = new Array(messages.length).fill(UNCONFIRMED);
    return new Promise((resolve) => {
      const finish = () => {
        clearTimeout(deadline);
        resolve(failures);
      };
      const deadline = setTimeout(finish, CONFIRM_DEADLINE_MS);
      let missing = messages.length;
      const settle = (index: number, failure: Unavailable | undefined) => {
        failures[index] = failure;
        missing -= 1;
        if (missing === 0) finish();
      };
      for (const [index, { exchange, key, body, options }] of messages.entries()) {
        try {
          this.channel.publish(exchange, key, body, options, (error: unknown) =>
            settle(index, this.#failureOf(key, options.messageId, error)),
          );
        } catch (error) {
          settle(index, refused(options.messageId, error)); // the channel has closed meanwhile
        }
      }
    });
  }

  #failureOf(key: string, messageId: string | undefined, error: unknown): Unavailable | undefined {
    if (error != null) return refused(messageId, error);
    if (messageId === undefined || !this.#returned.delete(messageId)) return undefined;
    this.#events.publish('publish.returned', { jobId: messageId, queue: key });
    return new Unavailable('publish_returned', `RabbitMQ has no queue "${key}" for message ${messageId}`);
  }
}

function refused(messageId: string | undefined, error: unknown): Unavailable {
  return new Unavailable('publish_refused', `RabbitMQ did not take message ${messageId}`, error);
}
