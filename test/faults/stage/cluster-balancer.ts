// Stands for what a cluster has before it, a load balancer or a Service: each new connection goes to the next node that takes it.
// Guarantees: a node that refuses, or does not answer in time, costs the client a moment and no error; only where no node takes it is the
// client refused. Knows nothing of AMQP or HTTP.
import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import { connect, createServer } from 'node:net';

export interface Target {
  readonly host: string;
  readonly port: number;
}

const CONNECT_TIMEOUT_MS = 1_000;

export class ClusterBalancer implements AsyncDisposable {
  readonly #targets: readonly Target[];
  readonly #server: Server;
  readonly #clients = new Map<Socket, Target | undefined>();
  #allowed: readonly Target[];
  #turn = 0;

  private constructor(targets: readonly Target[]) {
    this.#targets = targets;
    this.#allowed = targets;
    this.#server = createServer({ pauseOnConnect: true }, (client) => void this.#serve(client));
  }

  static async start(targets: readonly Target[]): Promise<ClusterBalancer> {
    const balancer = new ClusterBalancer(targets);
    balancer.#server.listen(0, '127.0.0.1');
    await once(balancer.#server, 'listening');
    return balancer;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on to this node alone; connections to another one end. Undefined: to all again. */
  only(target: Target | undefined): void {
    this.#allowed = target === undefined ? this.#targets : [target];
    for (const [client, chosen] of this.#clients)
      if (chosen !== undefined && !this.#allowed.includes(chosen)) client.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const client of this.#clients.keys()) client.destroy();
    await closed;
  }

  async #serve(client: Socket): Promise<void> {
    this.#clients.set(client, undefined);
    client.once('close', () => this.#clients.delete(client));
    client.on('error', () => {}); // `close` follows
    client.setNoDelay(true);
    const turn = this.#turn;
    this.#turn += 1;
    const allowed = this.#allowed;
    for (let n = 0; n < allowed.length; n += 1) {
      const target = allowed[(turn + n) % allowed.length];
      const upstream = target === undefined ? undefined : await open(target);
      if (upstream === undefined) continue;
      if (client.destroyed) return void upstream.destroy();
      this.#clients.set(client, target);
      return join(client, upstream);
    }
    client.destroy();
  }
}

/** Undefined where the node does not take the connection. */
async function open({ host, port }: Target): Promise<Socket | undefined> {
  const socket = connect({ host, port, noDelay: true });
  const late = setTimeout(() => socket.destroy(new Error('no answer')), CONNECT_TIMEOUT_MS);
  try {
    await once(socket, 'connect');
    return socket;
  } catch {
    return undefined; // the next one may take it
  } finally {
    clearTimeout(late);
  }
}

/** One end that ends, or breaks, ends the other. */
function join(client: Socket, upstream: Socket): void {
  upstream.on('error', () => {}); // `close` follows
  upstream.once('close', () => client.destroy());
  client.once('close', () => upstream.destroy());
  client.pipe(upstream);
  upstream.pipe(client);
  client.resume();
}
