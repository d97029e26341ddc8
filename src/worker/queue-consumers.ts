/**
 * The consumers of one queue, made with what they share: the slots, and the passing on of what waits for one too long.
 */
import { publishAgain } from '#queue/outbox.ts';
import type { Events } from '#shared/observe/events.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { BrokerConnection } from '#shared/rabbitmq/connection.ts';
import type { QueueChannels } from '#shared/settings/settings.ts';
import { Consumer } from './consumer.ts';
import type { OwnPublisher } from './own-publisher.ts';
import { PassingOn } from './passing-on.ts';
import type { DeliveryHandlers } from './run-delivery.ts';
import { runDelivery } from './run-delivery.ts';
import { Slots } from './slots.ts';

export interface QueueConsumersOptions {
  connection: BrokerConnection;
  publisher: OwnPublisher;
  database: Database;
  events: Events;
  handlers: DeliveryHandlers;
  /** The end of the consumers' tags: `@<host>:<pid>`. */
  at: string;
}

export interface QueueConsumers {
  slots: Slots;
  consumers: readonly Consumer[];
}

export function createQueueConsumers(
  { queue, channels, prefetch }: QueueChannels,
  { connection, publisher, database, events, handlers, at }: QueueConsumersOptions,
): QueueConsumers {
  const passingOn = new PassingOn({
    queue,
    events,
    countReady: async () => await consumers.find(({ ready }) => ready)?.countReady(),
    publishAgain: async (ids) => {
      const published = await publishAgain({ database, publisher: publisher.open() }, ids);
      return new Set(published.map(({ id }) => id));
    },
  });
  const slots: Slots = new Slots({
    slots: channels * prefetch,
    onWaiting: () => void passingOn.watch(slots),
  });
  const consumers = Array.from({ length: channels }, (_, index) => {
    return new Consumer({
      connection,
      events,
      queue,
      prefetch,
      priority: -index, // the first channels of all workers take turns, so that single jobs do not clump on the channels of one
      tag: `${queue}.${index + 1}${at}`,
      slots,
      run: (delivery, handlerEnded) => runDelivery(handlers, delivery, handlerEnded),
      deadLetter: (letter) => publisher.deadLetter(letter),
    });
  });
  return { slots, consumers };
}
