/**
 * What one messages-service has read from the queue: in its memory, and gone with it. A message that comes twice is kept once.
 */
import type { Message } from './message.ts';
import { MAX_SHOWN } from './message.ts';

export class KeptMessages {
  readonly #byId = new Map<string, Message>();

  add(message: Message): void {
    this.#byId.set(message.id, message);
    const [oldest = ''] = this.#byId.keys();
    if (this.#byId.size > MAX_SHOWN) this.#byId.delete(oldest);
  }

  list(): Message[] {
    return [...this.#byId.values()];
  }
}
