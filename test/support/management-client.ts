// RabbitMQ's management API for one vhost: what tests and benchmarks look at, and what tests break on purpose.
// Numbers come from statistics that RabbitMQ collects once a second: wait for a value, never expect it at once.
import { HANG_MS } from './eventually.ts';

export type QueueInfo = {
  readonly name: string;
  readonly type: string;
  readonly durable: boolean;
  readonly arguments: Readonly<Record<string, unknown>>;
  /** Counts are absent until the first statistics of a new queue. */
  readonly messages?: number;
  readonly messages_ready?: number;
  readonly messages_unacknowledged?: number;
  readonly consumers?: number;
};

export type ConnectionInfo = {
  /** RabbitMQ's own name (`127.0.0.1:1 -> 127.0.0.1:2`), which `closeConnection` wants. */
  readonly name: string;
  /** The name that the client gave. */
  readonly user_provided_name?: string;
  readonly state?: string;
  readonly channels?: number;
};

export type ChannelInfo = {
  readonly name: string;
  readonly number: number;
  readonly connection_details: { readonly name: string };
  readonly consumer_count?: number;
  readonly prefetch_count?: number;
  readonly messages_unacknowledged?: number;
  readonly confirm?: boolean;
};

export type ConsumerInfo = {
  readonly consumer_tag: string;
  readonly queue: { readonly name: string };
  readonly channel_details: { readonly connection_name: string; readonly number: number };
  readonly prefetch_count: number;
  readonly ack_required: boolean;
};

export class ManagementClient {
  readonly #base: string;
  readonly #authorization: string;
  readonly #vhost: string;

  constructor({ managementUrl, vhost }: { managementUrl: string; vhost: string }) {
    const url = URL.parse(managementUrl);
    if (url === null) throw new Error("the URL of RabbitMQ's management API is no URL");
    const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    this.#authorization = `Basic ${Buffer.from(credentials).toString('base64')}`;
    this.#base = `${url.origin}${url.pathname.replace(/\/+$/, '')}/api`;
    this.#vhost = encodeURIComponent(vhost);
  }

  async createVhost({ user }: { user: string }): Promise<void> {
    await this.request('PUT', `/vhosts/${this.#vhost}`);
    await this.request('PUT', `/permissions/${this.#vhost}/${encodeURIComponent(user)}`, {
      configure: '.*',
      write: '.*',
      read: '.*',
    });
  }

  /** A user of this vhost alone, without a tag. */
  async createUser({
    name,
    password,
    permissions,
  }: {
    name: string;
    password: string;
    permissions: { configure: string; write: string; read: string };
  }): Promise<void> {
    await this.request('PUT', `/users/${name}`, { password, tags: '' });
    await this.request('PUT', `/permissions/${this.#vhost}/${name}`, permissions);
  }

  async deleteUser(name: string): Promise<void> {
    await this.request('DELETE', `/users/${name}`);
  }

  async deleteVhost(): Promise<void> {
    await this.request('DELETE', `/vhosts/${this.#vhost}`);
  }

  /** Undefined when there is no such queue. */
  async queue(name: string): Promise<QueueInfo | undefined> {
    return this.request('GET', `/queues/${this.#vhost}/${encodeURIComponent(name)}`);
  }

  async queues(): Promise<QueueInfo[]> {
    return this.#list(`/queues/${this.#vhost}`);
  }

  async connections(): Promise<ConnectionInfo[]> {
    return this.#list(`/vhosts/${this.#vhost}/connections`);
  }

  async channels(): Promise<ChannelInfo[]> {
    return this.#list(`/vhosts/${this.#vhost}/channels`);
  }

  async consumers(): Promise<ConsumerInfo[]> {
    return this.#list(`/consumers/${this.#vhost}`);
  }

  /** Closes it from RabbitMQ's side (320 CONNECTION_FORCED). */
  async closeConnection(name: string): Promise<void> {
    await this.request('DELETE', `/connections/${encodeURIComponent(name)}`);
  }

  async deleteQueue(name: string): Promise<void> {
    await this.request('DELETE', `/queues/${this.#vhost}/${encodeURIComponent(name)}`);
  }

  /** Drops the ready messages; delivered ones stay. */
  async purgeQueue(name: string): Promise<void> {
    await this.request('DELETE', `/queues/${this.#vhost}/${encodeURIComponent(name)}/contents`);
  }

  async deleteExchange(name: string): Promise<void> {
    await this.request('DELETE', `/exchanges/${this.#vhost}/${encodeURIComponent(name)}`);
  }

  /** Any request of the API; the path begins after `/api`. Undefined for 404 and for answers without a body. */
  async request<T>(
    method: 'GET' | 'PUT' | 'POST' | 'DELETE',
    path: string,
    body?: unknown,
    signal = AbortSignal.timeout(HANG_MS),
  ): Promise<T | undefined> {
    const response = await fetch(`${this.#base}${path}`, {
      method,
      headers: { authorization: this.#authorization, 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
      signal,
    });
    const text = await response.text();
    if (response.status === 404) return undefined;
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  async #list<T>(path: string): Promise<T[]> {
    return (await this.request<T[]>('GET', path)) ?? [];
  }
}
