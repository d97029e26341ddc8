/**
 * The stream: a log in RabbitMQ that keeps reports for its readers, each of whom knows its own place. Writing and reading.
 *
 * Guarantees: what `append` has resolved for is in the stream. It may be there twice where it was called again after an error: readers tell reports
 * apart by their numbers.
 */
import type { ChannelModel, ConfirmChannel, ConsumeMessage } from 'amqplib';
import amqp from 'amqplib';
import { z } from 'zod';
import type { NumberedReport } from './counts.ts';
import { report } from './report.ts';

const STREAM = 'weather-reports';
const TIMEOUT_MS = 5_000;
const MAX_UNCONFIRMED = 10_000;
const PREFETCH = 500;

const streamed = z.object({ ...report.shape, number: z.string().regex(/^\d{1,15}$/) });
export type StreamedReport = z.output<typeof streamed>;

/** Kept for a week, 5 GB at most: a reader that is away longer misses reports. */
async function openChannel(
  url: string,
  name: string,
): Promise<{ connection: ChannelModel; channel: ConfirmChannel }> {
  const connection = await amqp.connect(url, {
    timeout: TIMEOUT_MS,
    noDelay: true,
    clientProperties: { connection_name: name },
  });
  connection.on('error', () => undefined); // `close` follows
  try {
    const channel = await connection.createConfirmChannel();
    channel.on('error', () => undefined);
    await channel.assertQueue(STREAM, {
      arguments: { 'x-queue-type': 'stream', 'x-max-age': '7D', 'x-max-length-bytes': 5_000_000_000 },
    });
    return { connection, channel };
  } catch (error) {
    await close(connection);
    throw error;
  }
}

/** Closes without waiting longer than a moment for a broker that does not answer. */
async function close(connection: ChannelModel): Promise<void> {
  try {
    await before(TIMEOUT_MS, connection.close());
  } catch {
    // It is closed already, or its socket goes with the heartbeat.
  }
}

async function before<T>(timeoutMs: number, promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`RabbitMQ has not answered for ${timeoutMs} ms`)),
    timeoutMs,
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

interface Open {
  connection: ChannelModel;
  channel: ConfirmChannel;
  /** The numbers of reports that found no stream. */
  returned: Set<string>;
}

export class StreamWriter implements AsyncDisposable {
  readonly #url: string;
  #open: Promise<Open> | undefined;
  #unconfirmed = 0;

  constructor(url: string) {
    this.#url = url;
  }

  /** Resolves when the broker has confirmed it. Throws where it has not: call it again, with the same number. */
  async append(item: StreamedReport): Promise<void> {
    if (this.#unconfirmed >= MAX_UNCONFIRMED) throw new Error(`${MAX_UNCONFIRMED} reports wait for RabbitMQ`);
    this.#unconfirmed += 1;
    const open = this.#current();
    try {
      await before(
        TIMEOUT_MS,
        open.then((opened) => publish(opened, item)),
      );
    } catch (error) {
      void this.#drop(open); // nobody waits for what is given up
      throw error;
    } finally {
      this.#unconfirmed -= 1;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#open !== undefined) await this.#drop(this.#open);
  }

  #current(): Promise<Open> {
    if (this.#open !== undefined) return this.#open;
    const open = this.#connect();
    this.#open = open;
    const forget = () => {
      if (this.#open === open) this.#open = undefined;
    };
    open.then(({ channel }) => channel.on('close', forget), forget);
    return open;
  }

  async #connect(): Promise<Open> {
    const opened = { ...(await openChannel(this.#url, 'weather-gateway')), returned: new Set<string>() };
    opened.channel.on('return', ({ properties }) => opened.returned.add(String(properties.messageId)));
    return opened;
  }

  /** The next call connects anew, and makes the stream where it is gone. */
  async #drop(open: Promise<Open>): Promise<void> {
    if (this.#open === open) this.#open = undefined;
    const opened = await open.catch(() => undefined);
    if (opened !== undefined) await close(opened.connection);
  }
}

async function publish({ channel, returned }: Open, item: StreamedReport): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const options = { mandatory: true, messageId: item.number, contentType: 'application/json' };
  channel.sendToQueue(STREAM, Buffer.from(JSON.stringify(item)), options, (error: unknown) => {
    if (error) reject(error);
    else if (returned.delete(item.number)) reject(new Error(`there is no stream ${STREAM}`));
    else resolve();
  });
  await promise;
}

/** One message of the stream: its place, that of the one read before it, and the report; none where it is not one. */
export interface Entry {
  offset: number;
  previous: number;
  report: NumberedReport | undefined;
}

export interface ReadOptions {
  url: string;
  /** The last place that needs not be read again. */
  after: number;
  signal: AbortSignal;
  /** Called in order, without waiting for the one before. What it rejects with ends the reading. */
  onEntry: (entry: Entry) => Promise<void>;
  onReading: () => void;
}

/** Reads until the signal aborts, when it resolves, or something is lost, when it throws. */
export async function readStream({ url, after, signal, onEntry, onReading }: ReadOptions): Promise<void> {
  const { connection, channel } = await openChannel(url, 'weather-reader');
  const ended = Promise.withResolvers<void>();
  ended.promise.catch(() => undefined); // it may fail before anybody waits for it
  const lost = (error?: unknown) => ended.reject(error ?? new Error('RabbitMQ has ended the reading'));
  const stop = () => ended.resolve();
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  connection.on('close', lost);
  channel.on('close', lost);
  let previous = after;
  const take = (message: ConsumeMessage | null) => {
    if (message === null) return lost();
    const offset = Number(message.properties.headers?.['x-stream-offset']);
    if (offset <= previous) return channel.ack(message); // a chunk begins before the place that was asked for
    const entry = { offset, previous, report: parse(message.content) };
    previous = offset;
    onEntry(entry)
      .then(() => channel.ack(message))
      .catch(lost);
  };
  try {
    await channel.prefetch(PREFETCH);
    await channel.consume(STREAM, take, { arguments: { 'x-stream-offset': after + 1 } });
    onReading();
    await ended.promise;
  } finally {
    signal.removeEventListener('abort', stop);
    await close(connection);
  }
}

function parse(content: Buffer): NumberedReport | undefined {
  try {
    return streamed.parse(JSON.parse(content.toString()));
  } catch {
    return undefined; // no report: nobody can count it, now or later
  }
}
