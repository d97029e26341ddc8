// What happened in an instance of Warren, kept from the moment of listening on: tests wait for events instead of time.
import type { EventMessages, EventName, Events } from '../../src/shared/observe/events.ts';
import { HANG_MS } from './eventually.ts';

export interface Heard<Message> extends Disposable {
  /** Every message so far, in order. */
  readonly all: readonly Message[];
  /** The first message, come or to come, that satisfies. Rejects at a deadline, with what was heard instead. */
  first(satisfies?: (message: Message) => boolean): Promise<Message>;
  /** Resolves when so many messages satisfy. */
  count(wanted: number, satisfies?: (message: Message) => boolean): Promise<void>;
}

export function listen<Name extends EventName>(
  events: Pick<Events, 'subscribe'>,
  name: Name,
): Heard<EventMessages[Name]> {
  type Message = EventMessages[Name];
  const all: Message[] = [];
  const looks = new Set<() => void>();
  const unsubscribe = events.subscribe(name, (message) => {
    all.push(message);
    for (const look of looks) look();
  });
  async function until<T>(find: () => T | undefined): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const look = () => {
      const found = find();
      if (found !== undefined) resolve(found);
    };
    const deadline = setTimeout(
      () => reject(new Error(`no such "${name}"; heard: ${all.length} ${JSON.stringify(all.slice(-5))}`)),
      HANG_MS,
    );
    looks.add(look);
    look();
    try {
      return await promise;
    } finally {
      clearTimeout(deadline);
      looks.delete(look);
    }
  }
  return {
    all,
    first: (satisfies = () => true) => until(() => all.find(satisfies)),
    count: async (wanted, satisfies = () => true) => {
      await until(() => (all.filter(satisfies).length >= wanted ? true : undefined));
    },
    [Symbol.dispose]: unsubscribe,
  };
}
