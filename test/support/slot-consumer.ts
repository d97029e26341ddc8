// A consumer of one channel without a broker, whose jobs run until the test ends them, and which keeps what becomes of its messages.
import type { Acknowledgements } from '../../src/shared/rabbitmq/acknowledgements.ts';
import type { IncomingMessage } from '../../src/shared/rabbitmq/message.ts';
import type { Settlement } from '../../src/worker/delivered-message.ts';
import { DeliveredMessage } from '../../src/worker/delivered-message.ts';
import type { Slots } from '../../src/worker/slots.ts';

const turn = () => new Promise(setImmediate);

/** What runs stands in `running` until the test ends it. */
export function slotConsumer(slots: Slots) {
  const settled: [string, Settlement][] = [];
  const started: string[] = [];
  const running = new Map<string, { handlerEnded: () => void; end: (settlement: Settlement) => void }>();
  let isOpen = true;
  const names = new Map<DeliveredMessage, string>();
  const nameOf = (delivered: DeliveredMessage) => names.get(delivered) ?? '';
  const handling = {
    run: (id: string, _: DeliveredMessage, handlerEnded: () => void) =>
      new Promise<Settlement>((end) => {
        started.push(id);
        running.set(id, { handlerEnded, end });
      }),
    settle: (delivered: DeliveredMessage, settlement: Settlement) => {
      if (settlement === 'ack') return slots.acknowledge(delivered);
      slots.settled(delivered);
      settled.push([nameOf(delivered), settlement]);
    },
    acknowledge: (delivered: DeliveredMessage) => void settled.push([nameOf(delivered), 'ack']),
    isCurrent: () => isOpen,
  };
  return {
    settled,
    started,
    deliver: (name: string, ids: readonly string[]) => {
      const brought = { message: {} as IncomingMessage, acknowledgements: {} as Acknowledgements };
      const delivered = new DeliveredMessage(brought, ids.length, handling);
      names.set(delivered, name);
      slots.delivered(delivered);
      for (const id of ids) slots.enter({ id, delivered });
    },
    handlerEnds: (id: string) => running.get(id)?.handlerEnded(),
    ends: async (id: string, settlement: Settlement = 'ack') => {
      running.get(id)?.end(settlement);
      await turn();
    },
    close: () => {
      isOpen = false;
    },
  };
}
