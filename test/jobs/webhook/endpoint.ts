// A local HTTP server that plays the receiver of webhooks. Disposing of it waits until every connection has been closed by the client: a test
// that leaks one times out.
import { EventEmitter, once } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export interface ReceivedRequest {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
  socket: Socket;
}

export interface Endpoint extends AsyncDisposable {
  url: string;
  port: number;
  /** In the order of their ends. */
  requests: ReceivedRequest[];
  /** Resolves with the next request that is complete. */
  nextRequest(): Promise<ReceivedRequest>;
}

export async function startEndpoint(
  answer: (response: ServerResponse, request: IncomingMessage) => void,
): Promise<Endpoint> {
  const server = createServer();
  const open = new Set<Socket>();
  const requests: ReceivedRequest[] = [];
  const received = new EventEmitter<{ request: [ReceivedRequest] }>();
  server.on('connection', (socket) => {
    open.add(socket);
    socket.on('error', () => {}); // the client may reset it
    socket.on('close', () => open.delete(socket));
  });
  server.on('request', (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url: path = '', headers, socket } = request;
      const complete = { method, path, headers, body: Buffer.concat(chunks).toString(), socket };
      requests.push(complete);
      received.emit('request', complete);
      answer(response, request);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/hook`,
    port,
    requests,
    nextRequest: async () => (await once(received, 'request'))[0] as ReceivedRequest,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...open].map(closed));
      server.close();
      await once(server, 'close');
    },
  };
}

/** `once` would reject where the client reset the connection. */
export function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => void socket.once('close', () => resolve()));
}
