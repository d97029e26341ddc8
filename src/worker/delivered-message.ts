/**
 * A message that a consumer has, and the jobs in it: settled once, when the last of them is done with, as the worst of them asks.
 *
 * Knows neither what a job is nor how the broker is told.
 */
import type { Acknowledgements } from '#shared/rabbitmq/acknowledgements.ts';
import type { IncomingMessage } from '#shared/rabbitmq/message.ts';

/**
 * What becomes of a message, the worst first. `unacked`: nothing; the broker delivers it again when the channel closes. `requeue`: the broker
 * delivers all of it again, and jobs that are done find nothing to claim. `reject`: it goes to the queue's own dead letters.
 */
const SETTLEMENTS = ['unacked', 'requeue', 'reject', 'ack'] as const;
export type Settlement = (typeof SETTLEMENTS)[number];

/** What a consumer does with its messages. */
export interface MessageHandling {
  /** Runs the job. `handlerEnded` is called when its slot is free, should that be before the end. Never rejects. */
  run: (id: string, delivered: DeliveredMessage, handlerEnded: () => void) => Promise<Settlement>;
  /** All its jobs are done with. */
  settle: (delivered: DeliveredMessage, settlement: Settlement) => void;
  acknowledge: (delivered: DeliveredMessage) => void;
  /** Whether the channel that has brought it is open still. */
  isCurrent: (delivered: DeliveredMessage) => boolean;
}

export class DeliveredMessage {
  readonly message: IncomingMessage;
  readonly acknowledgements: Acknowledgements;
  readonly handling: MessageHandling;
  readonly since = performance.now();
  #left: number;
  #worst = SETTLEMENTS.length - 1;

  /** `jobs`: how many are in it, one at least. */
  constructor(
    { message, acknowledgements }: { message: IncomingMessage; acknowledgements: Acknowledgements },
    jobs: number,
    handling: MessageHandling,
  ) {
    this.message = message;
    this.acknowledgements = acknowledgements;
    this.handling = handling;
    this.#left = jobs;
  }

  /** How many of its jobs are not done with. */
  get left(): number {
    return this.#left;
  }

  /** One of its jobs is done with. */
  done(settlement: Settlement): void {
    this.#worst = Math.min(this.#worst, SETTLEMENTS.indexOf(settlement));
    this.#left -= 1;
    if (this.#left === 0) this.handling.settle(this, SETTLEMENTS[this.#worst] as Settlement);
  }
}
