// A TCP proxy that can fall silent (connections stay open and nothing passes any more, as behind a dead cable), be cut (connections break) or lose its clients
// without a word to the server.
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:net';

export interface FaultyProxy extends AsyncDisposable {
  /** The URL that was given, through the proxy. */
  readonly url: string;
  /** From now on nothing passes, also on new connections. */
  silence(): void;
  /** Breaks every connection, and every new one, until `restore`. */
  cut(): void;
  restore(): void;
  /** Breaks every connection on the side of who connected; the server is not told and keeps its side open. */
  abandon(): void;
}

export async function startFaultyProxy(target: string): Promise<FaultyProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const abandoned = new Set<Socket>();
  const clients = new Set<Socket>();
  let isSilent = false;
  let isCut = false;
  const server = createServer((client) => {
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
      socket.on('data', (chunk) => !isSilent && peer.write(chunk));
      socket.on('error', () => peer.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        clients.delete(socket);
        if (!isSilent && !abandoned.delete(socket)) peer.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(target);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    silence: () => {
      isSilent = true;
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
