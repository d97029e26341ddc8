// An HTTP server in the place of Warren's API, as far as the watcher and the load ask: queues, the article's endpoint, batches.
// For what the real one does only when it is broken or slow; whole runs are tried with the real one.
import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { text } from 'node:stream/consumers';

export interface DoubleQueue {
  name: string;
  consumers: number | null;
  available: number;
  running: number;
  completed: number;
}

export class WarrenApiDouble {
  queues: DoubleQueue[] = [{ name: 'default', consumers: 20, available: 0, running: 0, completed: 0 }];
  /** The status of every answer to the load, or `cut`: the connection is closed instead. */
  loadBehaviour: number | 'cut' = 200;
  queuesStatus = 200;
  /** What the load has sent, oldest first; at most the first 10 000. */
  readonly received: { method: string; path: string; body: string; authorization: string | undefined }[] = [];
  /** Requests of the load that were under way at the same time, at most. */
  mostAtOnce = 0;
  /** The first answers wait until so many requests are under way. */
  gather = 1;
  /** Connections opened so far. */
  connections = 0;
  readonly #server: Server;
  #underWay = 0;
  readonly #gathered = Promise.withResolvers<void>();

  private constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response));
    this.#server.on('connection', (_: Socket) => {
      this.connections += 1;
    });
  }

  static async start(): Promise<WarrenApiDouble> {
    const double = new WarrenApiDouble();
    double.#server.listen(0, '127.0.0.1');
    await once(double.#server, 'listening');
    return double;
  }

  get url(): URL {
    return new URL(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url === '/v1/queues') {
      const queues = this.queues.map(({ name, consumers, ...counts }) => ({ name, consumers, counts }));
      sendJson(
        response,
        this.queuesStatus,
        this.queuesStatus === 200 ? { queues } : { title: 'out of order' },
      );
      return;
    }
    this.#underWay += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#underWay);
    if (this.#underWay >= this.gather) this.#gathered.resolve();
    const { method = '', url: path = '', headers } = request;
    const body = await text(request);
    if (this.received.length < 10_000)
      this.received.push({ method, path, body, authorization: headers.authorization });
    await this.#gathered.promise;
    this.#underWay -= 1;
    if (this.loadBehaviour === 'cut') response.destroy();
    else sendJson(response, this.loadBehaviour, {});
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
