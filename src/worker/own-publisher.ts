/**
 * What a worker publishes with: a connection of its own, opened by the first who publishes. An alarm of the broker blocks a connection that has
 * published, and the acknowledgements of the consumers must not be blocked with it.
 */
import type { Events } from '#shared/observe/events.ts';
import { Publisher } from '#shared/rabbitmq/publisher.ts';
import type { QueueType } from '#shared/rabbitmq/topology.ts';
import type { DeadLetter } from './consumer.ts';

const DEAD_LETTER_DEADLINE_MS = 5_000;
/** The relay repeats after two seconds what was not published. */
const OPEN_DEADLINE_MS = 1_500;

export interface OwnPublisherOptions {
  url: string;
  name: string;
  queues: readonly string[];
  queueType: QueueType;
  events: Events;
}

export class OwnPublisher {
  readonly #options: OwnPublisherOptions;
  #publisher: Publisher | undefined;

  constructor(options: OwnPublisherOptions) {
    this.#options = options;
  }

  open(): Publisher {
    if (this.#publisher === undefined) {
      this.#publisher = new Publisher({ ...this.#options, channels: 1 });
      this.#publisher.start();
    }
    return this.#publisher;
  }

  /** Whether a publish is worth trying now; where it is not open yet, that is seen to. */
  get ready(): boolean {
    return this.open().ready;
  }

  publishAll: Publisher['publishAll'] = (...given) => this.open().publishAll(...given);

  /** Whether it is open and the broker takes no messages now. */
  get isBlocked(): boolean {
    return this.#publisher?.connection.blocked === true;
  }

  /** Rejects where the broker is away. */
  async opened(): Promise<void> {
    await this.open().connection.opened(OPEN_DEADLINE_MS);
  }

  /** Rejects where the broker does not take it in time. */
  async deadLetter(letter: DeadLetter): Promise<void> {
    const publisher = this.open();
    await publisher.connection.opened(DEAD_LETTER_DEADLINE_MS);
    await publisher.deadLetter(letter);
  }

  async stop(): Promise<void> {
    await this.#publisher?.stop();
  }
}
