/**
 * The HTTP server: a socket for a fetch function.
 *
 * Slow clients are cut off; what is no HTTP gets a problem too. A server that stops goes on serving for its drain time and closes each connection
 * with an answer that says so: a client that is told sends its next request elsewhere, while one that is cut off between two requests loses the
 * second. What stayed silent through the whole drain is closed at its end, and what is still under way then has ten seconds more.
 */
import type { IncomingMessage, Server } from 'node:http';
import { createServer, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { sleep } from '../base/backoff.ts';
import { errorMessage, Misconfigured } from '../base/errors.ts';
import { problemResponse } from './problem-response.ts';

const LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  /** Longer than the 60 s after which load balancers drop an idle connection: the client closes first. */
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 2_000,
  /** Refused with a problem instead. */
  requireHostHeader: false,
};
/** A drain ends early where nobody has been connected for so long, in milliseconds. */
const QUIET_MS = 1_000;
/** What requests that are under way at the end of the drain may take, in milliseconds. */
const STOP_DEADLINE_MS = 10_000;
const STOP_LOOK_MS = 20;

type Fetch = Parameters<typeof getRequestListener>[0];

export interface HttpServerOptions {
  fetch: Fetch;
  host: string;
  /** 0: any free one. */
  port: number;
  /** How long it goes on serving when it is told to stop, in milliseconds. Defaults to 0: not at all. */
  drainMs?: number;
}

export class HttpServer {
  readonly #options: Required<HttpServerOptions>;
  readonly #server: Server;
  #isStopping = false;
  readonly #connections = new Set<Socket>();
  /** Since when nobody has been connected. */
  #quietSince = performance.now();

  constructor(options: HttpServerOptions) {
    this.#options = { drainMs: 0, ...options };
    const listener = getRequestListener(options.fetch, { errorHandler: answerFetchError });
    const serverOptions = { ...LIMITS, ServerResponse: lastAnswers(() => this.#isStopping) };
    this.#server = createServer(serverOptions, (request, response) => {
      if (countHosts(request) !== 1) void refuseHosts(response);
      else void listener(request, response); // answers every error by itself
    });
    this.#server.on('connection', (socket) => this.#remember(socket));
    this.#server.on('clientError', answerClientError);
  }

  /** Resolves with the URL when it listens. Throws `Misconfigured` where it cannot. */
  start(): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const { host, port } = this.#options;
    const onError = (error: Error) =>
      reject(new Misconfigured(`cannot listen on ${host}:${port}: ${errorMessage(error)}`));
    this.#server.once('error', onError);
    this.#server.listen({ host, port }, () => {
      this.#server.off('error', onError);
      const { address, family, port: actual } = this.#server.address() as AddressInfo;
      resolve(`http://${family === 'IPv6' ? `[${address}]` : address}:${actual}`);
    });
    return promise;
  }

  /** Drains, then closes. Resolves when no connection is left. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    this.#isStopping = true;
    await this.#drain();
    await this.#close();
  }

  #remember(socket: Socket): void {
    this.#connections.add(socket);
    socket.once('close', () => {
      this.#connections.delete(socket);
      this.#quietSince = performance.now();
    });
  }

  /** Listens on: whoever sends requests here may hear of the stop a little later than this process. */
  async #drain(): Promise<void> {
    const startedAt = performance.now();
    for (let now = startedAt; now - startedAt < this.#options.drainMs; now = performance.now()) {
      const quietMs = now - Math.max(startedAt, this.#quietSince);
      if (this.#connections.size === 0 && quietMs >= QUIET_MS) return;
      await sleep(STOP_LOOK_MS);
    }
  }

  async #close(): Promise<void> {
    let isClosed = false;
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => {
        isClosed = true;
        resolve();
      });
    });
    const deadline = performance.now() + STOP_DEADLINE_MS;
    while (!isClosed && performance.now() < deadline) {
      this.#closeIdle();
      await Promise.race([closed, sleep(STOP_LOOK_MS)]);
    }
    this.#server.closeAllConnections();
    await closed;
  }

  /** Node takes a connection on which nothing was ever sent for one whose request is on its way. */
  #closeIdle(): void {
    this.#server.closeIdleConnections();
    for (const socket of this.#connections) if (socket.bytesRead === 0) socket.destroy();
  }
}

/** Answers that close their connection where the server stops, also those to requests that had come before. */
function lastAnswers(isStopping: () => boolean): typeof ServerResponse {
  return class<Request extends IncomingMessage = IncomingMessage> extends ServerResponse<Request> {
    override writeHead(...head: [number, ...unknown[]]): this {
      if (isStopping()) this.shouldKeepAlive = false;
      return Reflect.apply(super.writeHead, this, head);
    }
  };
}

/** Of two, Node takes the first, and a proxy in front may have taken the second. */
function countHosts({ rawHeaders }: IncomingMessage): number {
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  return hosts;
}

async function refuseHosts(response: ServerResponse): Promise<void> {
  const problem = problemResponse(400, { detail: 'the request must have one Host header' });
  response.shouldKeepAlive = false;
  response.writeHead(problem.status, Object.fromEntries(problem.headers)).end(await problem.text());
}

/** A request target or a Host header that makes no URL; the app answers everything else itself. */
function answerFetchError(): Response {
  return problemResponse(400, { detail: 'the request target or the Host header is malformed' });
}

/** Bytes that are no HTTP request, or came too slowly: Node would answer without a body. */
function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const statuses: Record<string, number> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 };
  const status = statuses[error.code ?? ''] ?? 400;
  void writeProblem(socket, status);
}

async function writeProblem(socket: Socket, status: number): Promise<void> {
  const response = problemResponse(status, { detail: 'this is no HTTP request that can be answered' });
  const body = await response.text();
  const head = [
    `HTTP/1.1 ${status} ${JSON.parse(body).title}`,
    'content-type: application/problem+json',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
