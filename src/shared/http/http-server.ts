/**
 * The HTTP server: a socket for a fetch function.
 *
 * Slow clients are cut off; what is no HTTP gets a problem too. Stopping ends idle connections at once, tells busy ones to close after their
 * answer, and cuts what is left after ten seconds.
 */
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { pause } from '../backoff.ts';
import { errorMessage, Misconfigured } from '../errors.ts';
import { problemResponse } from './problem-response.ts';

const LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  /** Longer than the 60 s after which load balancers drop an idle connection: the client closes first. */
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 2_000,
};
const STOP_DEADLINE_MS = 10_000;
const STOP_LOOK_MS = 20;

type Fetch = Parameters<typeof getRequestListener>[0];

export interface HttpServerOptions {
  fetch: Fetch;
  host: string;
  /** 0: any free one. */
  port: number;
}

export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #server: Server;
  #isStopping = false;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    const listener = getRequestListener(options.fetch, { errorHandler: answerFetchError });
    this.#server = createServer(LIMITS, (request, response) => {
      if (this.#isStopping) response.shouldKeepAlive = false;
      void listener(request, response); // answers every error by itself
    });
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

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    this.#isStopping = true;
    let isClosed = false;
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => {
        isClosed = true;
        resolve();
      });
    });
    const deadline = performance.now() + STOP_DEADLINE_MS;
    while (!isClosed && performance.now() < deadline) {
      this.#server.closeIdleConnections();
      await Promise.race([closed, pause(STOP_LOOK_MS)]);
    }
    this.#server.closeAllConnections();
    await closed;
  }
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
