/**
 * How much memory the bodies of requests may take in this process: all of them together, from the first byte to the answer.
 *
 * Guarantees: never more than `maxBytes` are held; a body that does not fit is refused before it is read, with `Unavailable`. What is held is given
 * back when its reservation is disposed of. Counts, and allocates nothing: whoever holds too little is not found out here.
 */
import { Unavailable } from '#shared/base/errors.ts';
import type { GaugeSource } from '#shared/observe/metrics/gauge-source.ts';

/**
 * What a JSON value counts beside its text. Parsed and copied, a body takes about four times what it counts: measured, values in the worst shape
 * (objects with one member each) take 84 bytes, text up to four times its own.
 */
export const BYTES_PER_VALUE = 25;

/** The part of the budget that one body holds. */
export interface BodyReservation extends Disposable {
  /** Holds more, for what the body has turned out to need. Throws `Unavailable` where it does not fit. */
  add(bytes: number): void;
  /** The same for what can be done without: false where it does not fit. */
  tryAdd(bytes: number): boolean;
}

export class BodyBudget {
  readonly #maxBytes: number;
  #heldBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Throws `Unavailable` where it does not fit beside what others hold. */
  hold(bytes: number): BodyReservation {
    this.#take(bytes);
    let held = bytes;
    const add = (more: number) => {
      this.#take(more);
      held += more;
    };
    return {
      add,
      tryAdd: (more) => {
        const fits = this.#fits(more);
        if (fits) add(more);
        return fits;
      },
      [Symbol.dispose]: () => {
        this.#heldBytes -= held;
        held = 0;
      },
    };
  }

  #take(bytes: number): void {
    if (!this.#fits(bytes))
      throw new Unavailable('bodies_full', `${this.#heldBytes} bytes of request bodies are held already`);
    this.#heldBytes += bytes;
  }

  #fits(bytes: number): boolean {
    return this.#heldBytes + bytes <= this.#maxBytes;
  }
}

export function bodyGauges(budget: BodyBudget): GaugeSource[] {
  return [
    {
      name: 'warren_http_request_body_bytes',
      help: 'What the bodies of requests under way count against API_BODY_BYTES.',
      read: () => [{ value: budget.heldBytes }],
    },
  ];
}
