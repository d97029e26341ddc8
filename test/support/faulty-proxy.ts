// A TCP proxy that can stall as a dead cable does, be cut, or lose its clients without a word to the server. Tests and fault rows use it.
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:net';

export interface FaultyProxy extends AsyncDisposable {
  /** The URL that was given, through the proxy. */
  readonly url: string;
  readonly connections: number;
  /** From now on nothing passes either way, also on new connections, and nobody is told, until `resume`. */
  stall(): void;
  /** What was on its way passes, as TCP sends again. */
  resume(): void;
  /** Breaks every connection, and every new one, until `restore`. */
  cut(): void;
  restore(): void;
  /** Breaks every connection on the side of who connected; the server is not told and keeps its side open. */
  abandon(): void;
}

export async function startFaultyProxy(target: string): Promise<FaultyProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const clients = new Set<Socket>();
  const abandoned = new Set<Socket>();
  let isStalled = false;
  let isCut = false;
  const server = createServer({ pauseOnConnect: true }, (client) => {
    if (isCut) {
      client.destroy();
      return;
    }
    clients.add(client);
    const upstream = connect(Number(port), hostname);
    for (const [socket, peer] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on('data', (chunk) => peer.write(chunk));
      socket.on('error', () => peer.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        clients.delete(socket);
        if (!isStalled && !abandoned.delete(socket)) peer.destroy();
      });
      if (isStalled) socket.pause();
      else socket.resume();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(target);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    get connections() {
      return clients.size;
    },
    stall: () => {
      isStalled = true;
      for (const socket of sockets) socket.pause();
    },
    resume: () => {
      isStalled = false;
      for (const socket of sockets) if (!socket.destroyed) socket.resume();
    },
    cut: () => {
      isCut = true;
      for (const socket of sockets) socket.destroy();
    },
    restore: () => {
      isCut = false;
    },
    abandon: () => {
      for (const client of clients) {
        abandoned.add(client);
        client.destroy();
      }
    },
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
