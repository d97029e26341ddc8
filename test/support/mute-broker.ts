// A RabbitMQ that lets clients in and sends its heartbeats, and answers nothing that is asked on a channel: a proxy before a real one.
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:net';

/** A frame of AMQP 0-9-1 begins with its type (1 byte), its channel (2) and the size of its payload (4), and ends with one byte more. */
const HEADER_BYTES = 7;
const END_BYTES = 1;

export interface MuteBroker extends AsyncDisposable {
  /** The URL that was given, through the proxy. */
  readonly url: string;
}

export async function startMuteBroker(target: string): Promise<MuteBroker> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const broker = connect(Number(port), hostname);
    let unread = Buffer.alloc(0);
    client.pipe(broker);
    broker.on('data', (chunk) => {
      unread = Buffer.concat([unread, chunk]);
      for (let frame = firstFrame(unread); frame !== undefined; frame = firstFrame(unread)) {
        if (frame.readUInt16BE(1) === 0) client.write(frame); // of the connection itself
        unread = unread.subarray(frame.length);
      }
    });
    for (const [socket, peer] of [
      [client, broker],
      [broker, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => {}); // told by its close
      socket.on('close', () => {
        sockets.delete(socket);
        peer.destroy();
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
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function firstFrame(bytes: Buffer): Buffer | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const length = HEADER_BYTES + bytes.readUInt32BE(3) + END_BYTES;
  return bytes.length < length ? undefined : bytes.subarray(0, length);
}
