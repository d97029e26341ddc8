/**
 * One persistent AMQP connection, opened again with jitter whenever it is lost, until `stop`; where the URL names several nodes of a cluster, to any
 * of them.
 *
 * Guarantees: connecting, preparing and closing have deadlines; errors of a connection never reach the process; a connection that dies
 * while it is being prepared counts as not opened. Channels die with their connection: their users wait for `opened` and make new ones.
 * Own loop instead of amqplib's recovery: 2.3.1 keeps a dead connection as connected when it is lost during the set-up.
 */

import type { ChannelModel } from 'amqplib';
import { connect } from 'amqplib';
import { nodeUrls } from '../base/amqp-url.ts';
import { aborted, backoffMs, sleep, withDeadline } from '../base/backoff.ts';
import { Misconfigured, Unavailable } from '../base/errors.ts';
import type { Events } from '../observe/events.ts';
import { writeTogether } from './write-together.ts';

const CONNECT_DEADLINE_MS = 5_000;
const PREPARE_DEADLINE_MS = 15_000;
const CLOSE_DEADLINE_MS = 2_000;
/** Seconds; RabbitMQ closes after two silent intervals, amqplib after two to three. */
const HEARTBEAT_SECONDS = 3;

/** Instead of a URL: there is no broker, and the connection never opens. */
export const NO_BROKER = 'none';

export interface BrokerConnectionOptions {
  /** An AMQP URL, of one node or of several (`amqp://a,b,c`), or `none`. */
  url: string;
  /** Shown by the management plugin. */
  name: string;
  events: Events;
  /** Runs on every new connection before it counts as opened: declare the topology, open channels. */
  prepare?: (model: ChannelModel) => Promise<void>;
}

export class BrokerConnection {
  readonly #options: BrokerConnectionOptions;
  /** In an order of its own: the connections of a node that is lost go to all of the others. */
  readonly #nodes: readonly string[];
  /** The node that is tried, or connected to, in the order of `#nodes`. */
  #node = 0;
  readonly #stopping = new AbortController();
  readonly #stopped = aborted(this.#stopping.signal);
  #model: ChannelModel | undefined;
  #opened = Promise.withResolvers<ChannelModel>();
  #life: Promise<void> = Promise.resolve();
  #blocked = false;
  #lostAt = Number.NEGATIVE_INFINITY;
  #openedAt = 0;
  readonly #failed = Promise.withResolvers<never>();

  constructor(options: BrokerConnectionOptions) {
    this.#options = options;
    this.#nodes = shuffled(nodeUrls(options.url));
    this.#failed.promise.catch(() => {}); // who wants to know awaits `failed`
  }

  /** The open connection; undefined while it is lost. */
  get model(): ChannelModel | undefined {
    return this.#model;
  }

  /** False where there is no broker to connect to. */
  get isConfigured(): boolean {
    return this.#options.url !== NO_BROKER;
  }

  /** The broker has a resource alarm and reads nothing from us. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** Rejects with `Misconfigured` where the broker refuses this program before it was ever connected. Never resolves. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /** How long there has been no connection, in milliseconds; 0 while there is one, `Infinity` where there never was and is no broker. */
  get lostForMs(): number {
    return this.#model === undefined ? performance.now() - this.#lostAt : 0;
  }

  /** How long the connection has been open, in milliseconds; 0 while it is lost. */
  get openForMs(): number {
    return this.#model === undefined ? 0 : performance.now() - this.#openedAt;
  }

  start(): void {
    if (!this.isConfigured) return;
    this.#lostAt = performance.now();
    this.#life = this.#live();
  }

  /** Resolves with the open connection, at once or when it comes; rejects with `Unavailable` at the deadline, or when the signal aborts. */
  opened(deadlineMs: number, signal?: AbortSignal): Promise<ChannelModel> {
    if (this.#model !== undefined) return Promise.resolve(this.#model);
    const onTimeout = () =>
      new Unavailable('broker_unavailable', `no connection to RabbitMQ within ${deadlineMs} ms`);
    return withDeadline(this.#opened.promise, deadlineMs, onTimeout, signal);
  }

  /** Closes the connection. Close the channels first: what they still hold to be sent would be lost. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#life;
  }

  async #live(): Promise<void> {
    let wasOpen = false;
    /** In a row. */
    let failures = 0;
    while (!this.#stopping.signal.aborted) {
      try {
        const { model, closed } = await this.#open();
        this.#model = model;
        this.#openedAt = performance.now();
        this.#opened.resolve(model);
        this.#options.events.publish('broker.connected', {
          connection: this.#options.name,
          reconnect: wasOpen,
        });
        wasOpen = true;
        failures = 0;
        const error = await Promise.race([closed, this.#stopped]);
        this.#model = undefined;
        this.#lostAt = performance.now();
        this.#blocked = false;
        this.#opened = Promise.withResolvers();
        if (this.#stopping.signal.aborted) return await close(model);
        this.#options.events.publish('broker.disconnected', {
          connection: this.#options.name,
          retries: 0,
          error,
        });
      } catch (error) {
        if (error instanceof Misconfigured && !wasOpen) this.#failed.reject(error);
        this.#options.events.publish('broker.disconnected', {
          connection: this.#options.name,
          retries: failures,
          error,
        });
        failures += 1;
      }
      this.#node = (this.#node + 1) % this.#nodes.length;
      // One that does not take the connection leads to the next at once; all of them together are waited for.
      if (failures % this.#nodes.length > 0) continue;
      await sleep(
        backoffMs(failures / this.#nodes.length, { firstMs: 200, maxMs: 5_000, jitter: 0.75 }),
        this.#stopping.signal,
      );
    }
  }

  async #open(): Promise<{ model: ChannelModel; closed: Promise<unknown> }> {
    const model = await this.#connect();
    writeTogether(model);
    const closed = this.#watch(model);
    const lost = closed.then((error) => {
      throw new Unavailable('broker_lost', 'the connection was lost while it was being prepared', error);
    });
    lost.catch(() => {}); // decided by the race below; afterwards `closed` tells
    try {
      const prepared = this.#options.prepare?.(model) ?? Promise.resolve();
      await withDeadline(Promise.race([prepared, lost]), PREPARE_DEADLINE_MS, () =>
        tooLate('prepared', PREPARE_DEADLINE_MS),
      );
      return { model, closed };
    } catch (error) {
      await close(model);
      throw error;
    }
  }

  async #connect(): Promise<ChannelModel> {
    const connecting = connect(withHeartbeat(this.#nodes[this.#node] ?? ''), {
      clientProperties: { connection_name: this.#options.name },
      noDelay: true,
      keepAlive: true,
      keepAliveDelay: 5_000,
      timeout: CONNECT_DEADLINE_MS,
    });
    try {
      return await withDeadline(connecting, CONNECT_DEADLINE_MS, () =>
        tooLate('opened', CONNECT_DEADLINE_MS),
      );
    } catch (error) {
      connecting.then(close, () => {}); // one that opens after its deadline is not kept
      throw error;
    }
  }

  /** Resolves when the connection has ended, whichever event tells; attaches every listener that a connection needs to be harmless. */
  #watch(model: ChannelModel): Promise<unknown> {
    model.on('blocked', (reason) => this.#setBlocked(true, reason));
    model.on('unblocked', () => this.#setBlocked(false, ''));
    return new Promise((resolve) => {
      model.on('error', resolve);
      model.on('close', resolve);
    });
  }

  #setBlocked(blocked: boolean, reason: string): void {
    this.#blocked = blocked;
    this.#options.events.publish('broker.blocked', { connection: this.#options.name, blocked, reason });
  }
}

function shuffled(urls: readonly string[]): string[] {
  return urls
    .map((url) => ({ url, place: Math.random() }))
    .toSorted((one, other) => one.place - other.place)
    .map(({ url }) => url);
}

function withHeartbeat(url: string): string {
  const parsed = new URL(url);
  if (!parsed.searchParams.has('heartbeat')) parsed.searchParams.set('heartbeat', String(HEARTBEAT_SECONDS));
  return parsed.href;
}

function tooLate(done: string, deadlineMs: number): Unavailable {
  return new Unavailable(
    'broker_timeout',
    `the connection to RabbitMQ was not ${done} within ${deadlineMs} ms`,
  );
}

async function close(model: ChannelModel): Promise<void> {
  try {
    await withDeadline(model.close(), CLOSE_DEADLINE_MS, () => tooLate('closed', CLOSE_DEADLINE_MS));
  } catch {
    // It is closed already, or its peer is silent: the socket goes with the heartbeat.
  }
}
