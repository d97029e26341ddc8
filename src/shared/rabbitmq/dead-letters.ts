/**
 * The messages in `warren.dead`: looked at, sent again to the queue that they came from, or deleted.
 *
 * Guarantees: a look changes nothing, what was taken for it is back in its place when it ends; a message that is sent again leaves `warren.dead` when its queue has it, and one that no
 * queue takes stays. All of it on a channel of its own, which is closed afterwards. Holds some hundred messages at once, or a MiB.
 * Must not know Postgres.
 */
import { hash, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Channel, ChannelModel, GetMessage } from 'amqplib';
import { withDeadline } from '../base/backoff.ts';
import { Unavailable } from '../base/errors.ts';
import type { Events } from '../observe/events.ts';
import { ConfirmingChannel } from './confirming-channel.ts';
import type { BrokerConnection } from './connection.ts';
import { decodeJobIds, messageOptions } from './message.ts';
import { DEAD_QUEUE, EXCHANGE } from './topology.ts';

/** A command has just begun to connect. */
const CONNECT_DEADLINE_MS = 2_000;
const LOOK_DEADLINE_MS = 5_000;
/** An act ends by itself after the first; the second is for a broker that does not answer. */
const ACT_MS = 10_000;
const ACT_DEADLINE_MS = 20_000;
/** RabbitMQ puts back within milliseconds what it is given; it never comes to the number that is waited for where others take some meanwhile. */
const BACK_MS = 3_000;
const ASK_EVERY_MS = 5;
const MAX_AT_ONCE = 100;
const MAX_BYTES_AT_ONCE = 1_048_576;
/** Of a body that is no list of ids. */
const MAX_SHOWN_BYTES = 200;
const ID_DIGITS = 16;

export interface BrokerLetter {
  /** The same for the same message; two that are alike in everything share it. */
  id: string;
  /** Why no worker could use it. */
  reason: string;
  /** The queue that it came from. */
  queue: string;
  /** When it came here, to the second; null where a program of an earlier version has put it here. */
  at: Date | null;
  /** The jobs that it is about; none where its body cannot be read. */
  jobIds: string[];
  /** The beginning of its body, as text. */
  body: string;
  bodyBytes: number;
}

export type LetterAct = 'send' | 'delete';

export interface LetterSelection {
  /** Of one. Defaults to all. */
  id?: string | undefined;
  /** Of the oldest. Defaults to as many as there are when it begins. */
  atMost?: number | undefined;
}

export interface BrokerLetters {
  /** All that are there, those that are not listed among them. */
  total: number;
  letters: BrokerLetter[];
}

/**
 * The oldest, a hundred at most. Throws `Unavailable`.
 *
 * RabbitMQ puts what comes back behind what has come back before, and hands both out first. So every look takes as many as it can, however few are wanted: if it took one of
 * those that the last look has taken, that one would be behind the others from then on.
 */
export async function readDeadLetters(connection: BrokerConnection, limit: number): Promise<BrokerLetters> {
  return await onChannel(connection, LOOK_DEADLINE_MS, async (model) => {
    const channel = await model.createChannel();
    channel.on('error', () => {}); // the question that failed rejects
    const work = async () => {
      const { messageCount: total } = await channel.checkQueue(DEAD_QUEUE);
      const letters: BrokerLetter[] = [];
      while (letters.length < MAX_AT_ONCE) {
        const message = await channel.get(DEAD_QUEUE);
        if (message === false) break;
        letters.push(toLetter(message));
      }
      await giveBack(channel, letters.length);
      return { total: Math.max(total, letters.length), letters: letters.slice(0, limit) };
    };
    return { channel, work };
  });
}

/**
 * Does it to those that are selected, and resolves with how many it was done to and how many were there at the beginning: after ten seconds at most, more may be left then.
 * Throws `Unavailable`.
 */
export async function actOnDeadLetters(
  connection: BrokerConnection,
  { act, events, id, atMost }: LetterSelection & { act: LetterAct; events: Events },
): Promise<{ done: number; total: number }> {
  return await onChannel(connection, ACT_DEADLINE_MS, async (model) => {
    const confirming = new ConfirmingChannel(await model.createConfirmChannel(), events);
    const { channel } = confirming;
    const work = async () => {
      const { messageCount: total } = await channel.checkQueue(DEAD_QUEUE);
      const endsAt = performance.now() + ACT_MS;
      let unseen = Math.min(total, atMost ?? total);
      let done = 0;
      let held = 0;
      while (unseen > 0 && performance.now() < endsAt && !(id !== undefined && done > 0)) {
        const { taken, seen } = await takeSome(channel, { limit: Math.min(unseen, MAX_AT_ONCE), id });
        if (seen === 0) break;
        unseen -= seen;
        held += seen;
        const failures = act === 'send' ? await confirming.publish(taken.map(toOutgoing)) : [];
        for (const [index, message] of taken.entries()) {
          if (failures[index] !== undefined) continue; // it stays, and goes back at the end
          channel.ack(message);
          done += 1;
          held -= 1;
        }
      }
      await giveBack(channel, held);
      return { done, total };
    };
    return { channel, work };
  });
}

/**
 * Gives back what the channel still holds, this many messages, and waits until they are there. Closing the channel would give them back, too, but tells nobody when that is
 * done: whoever looked next would miss some.
 */
async function giveBack(channel: Channel, held: number): Promise<void> {
  if (held === 0) return;
  const count = async () => (await channel.checkQueue(DEAD_QUEUE)).messageCount;
  const all = (await count()) + held;
  channel.nackAll(true);
  const endsAt = performance.now() + BACK_MS;
  while ((await count()) < all && performance.now() < endsAt) await delay(ASK_EVERY_MS);
}

interface Work<T> {
  channel: Channel;
  work: () => Promise<T>;
}

async function onChannel<T>(
  connection: BrokerConnection,
  deadlineMs: number,
  open: (model: ChannelModel) => Promise<Work<T>>,
): Promise<T> {
  const model = await connection.opened(CONNECT_DEADLINE_MS);
  if (connection.blocked) throw new Unavailable('broker_blocked', 'RabbitMQ has an alarm and reads nothing');
  const late = () =>
    new Unavailable(
      'broker_timeout',
      `RabbitMQ did not answer within ${deadlineMs} ms about its dead letters`,
    );
  const working = open(model).then(async ({ channel, work }) => {
    try {
      return await work();
    } finally {
      await channel.close().catch(() => {}); // it has closed by itself, where the work failed
    }
  });
  try {
    return await withDeadline(working, deadlineMs, late);
  } catch (error) {
    if (error instanceof Unavailable) throw error;
    throw new Unavailable('broker_unavailable', 'RabbitMQ did not tell of its dead letters', error);
  }
}

/**
 * Takes the next messages, at most `limit`, and of them the ones that are wanted: all, or the first with this id. Ends at one that has the name of another: what RabbitMQ
 * returns is told by that, and it comes again with the next.
 */
async function takeSome(
  channel: Channel,
  { limit, id }: { limit: number; id: string | undefined },
): Promise<{ taken: GetMessage[]; seen: number }> {
  const taken = new Map<unknown, GetMessage>();
  let bytes = 0;
  let seen = 0;
  while (seen < limit && bytes < MAX_BYTES_AT_ONCE) {
    const message = await channel.get(DEAD_QUEUE);
    if (message === false) break;
    const isWanted = id === undefined || (taken.size === 0 && toLetter(message).id === id);
    message.properties.messageId ??= randomUUID();
    const name: unknown = message.properties.messageId;
    if (taken.has(name)) {
      channel.nack(message, false, true);
      break;
    }
    seen += 1;
    if (!isWanted) continue; // it goes back at the end
    taken.set(name, message);
    bytes += message.content.length;
  }
  return { taken: [...taken.values()], seen };
}

function toOutgoing({ content, fields, properties }: GetMessage) {
  const { messageId: id, type } = properties;
  return { exchange: EXCHANGE, key: fields.routingKey, body: content, options: messageOptions({ id, type }) };
}

/** A worker says why in a header; a message that its queue has put here by itself has RabbitMQ's own word. */
function toLetter(message: GetMessage): BrokerLetter {
  const { content, fields, properties } = message;
  const headers = (properties.headers ?? {}) as Record<string, unknown>;
  const { routingKey: queue } = fields;
  const reason = `${headers['x-warren-reason'] ?? headers['x-first-death-reason'] ?? 'unknown'}`;
  const identity = JSON.stringify([properties.messageId ?? null, queue, reason, content.toString('base64')]);
  const at: unknown = properties.timestamp;
  return {
    id: hash('sha256', identity, 'hex').slice(0, ID_DIGITS),
    reason,
    queue,
    at: typeof at === 'number' ? new Date(at * 1_000) : null,
    jobIds: decodeJobIds(message) ?? [],
    body: content.subarray(0, MAX_SHOWN_BYTES).toString(),
    bodyBytes: content.length,
  };
}
