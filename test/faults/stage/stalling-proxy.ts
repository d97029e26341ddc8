// A TCP proxy that can stall as a dead cable does: nothing passes either way, nobody is told, and new connections hang. What was on its way
// passes when the stall ends, as TCP sends again.
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:net';

export interface StallingProxy extends AsyncDisposable {
  /** The URL that was given, through the proxy. */
  readonly url: string;
  readonly connections: number;
  stall(): void;
  resume(): void;
}

export async function startStallingProxy(target: string): Promise<StallingProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let isStalled = false;
  const server = createServer({ pauseOnConnect: true }, (client) => {
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
        if (!isStalled) peer.destroy();
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
      return sockets.size / 2;
    },
    stall: () => {
      isStalled = true;
      for (const socket of sockets) socket.pause();
    },
    resume: () => {
      isStalled = false;
      for (const socket of sockets) {
        if (socket.destroyed) continue;
        socket.resume();
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
