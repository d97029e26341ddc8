/**
 * The pool of a publisher's channels on one connection: as many as it was told, from the start on.
 *
 * Guarantees: what is leased is open; a channel that has closed is replaced for as long as the connection lives; leasing and closing end within
 * their deadlines.
 */
import type { ChannelModel } from 'amqplib';
import type { Factory, Pool } from 'generic-pool';
import { createPool } from 'generic-pool';
import { sleep, withDeadline } from '../base/backoff.ts';
import { Unavailable } from '../base/errors.ts';
import type { Events } from '../observe/events.ts';
import { ConfirmingChannel } from './confirming-channel.ts';
import type { QueueType } from './topology.ts';
import { declareTopology } from './topology.ts';

const LEASE_DEADLINE_MS = 1_000;
const CLOSE_DEADLINE_MS = 2_000;
const CREATE_PAUSE_MS = 200;

export type ChannelPool = Pool<ConfirmingChannel>;

export interface ChannelPoolOptions {
  channels: number;
  /** Queues that every channel declares. */
  queues: readonly string[];
  queueType?: QueueType | undefined;
  events: Events;
}

/** Begins to open the channels: `ready()` resolves when they are there. */
export function openPool(model: ChannelModel, options: ChannelPoolOptions): ChannelPool {
  const pool = createPool(channelFactory(model, options), {
    min: options.channels,
    max: options.channels,
    fifo: true,
    testOnBorrow: true,
    acquireTimeoutMillis: LEASE_DEADLINE_MS,
    autostart: false,
  });
  pool.on('factoryCreateError', () => {}); // the connection is going; its end or the lease's deadline tells
  pool.start();
  return pool;
}

export async function closePool(pool: ChannelPool): Promise<void> {
  await withDeadline(pool.drain(), CLOSE_DEADLINE_MS, late).catch(() => {}); // leases last one turn of the event loop
  await pool.clear();
}

/** A create that fails waits first: generic-pool tries again at once, for ever. */
function channelFactory(
  model: ChannelModel,
  { queues, queueType, events }: ChannelPoolOptions,
): Factory<ConfirmingChannel> {
  return {
    create: async () => {
      try {
        const channel = new ConfirmingChannel(await model.createConfirmChannel(), events);
        await declareTopology(channel.channel, queues, queueType); // the one before it may have met a deleted exchange
        return channel;
      } catch (error) {
        await sleep(CREATE_PAUSE_MS);
        throw error;
      }
    },
    validate: async ({ isOpen }) => isOpen,
    destroy: async ({ channel, isOpen }) => {
      if (isOpen) await withDeadline(channel.close(), CLOSE_DEADLINE_MS, late).catch(() => {}); // it is gone in any case
    },
  };
}

function late(): Error {
  return new Unavailable('close_timeout', `a channel did not close within ${CLOSE_DEADLINE_MS} ms`);
}
