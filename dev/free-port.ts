// Free ports on loopback.
// A port is free when this looks; whoever listens on it next has to do so soon, and say so when it was taken meanwhile.
import { once } from 'node:events';
import { createServer } from 'node:net';

/** `count` different free ports: all are held until all are found. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, () => listen(0)));
  const ports = servers.map((server) => {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
    return address.port;
  });
  await Promise.all(servers.map(async (server) => server[Symbol.asyncDispose]()));
  return ports;
}

export async function isPortFree(port: number): Promise<boolean> {
  try {
    const server = await listen(port);
    await server[Symbol.asyncDispose]();
    return true;
  } catch {
    // Whatever the reason (in use, not permitted): nobody of ours can listen there.
    return false;
  }
}

async function listen(port: number) {
  const server = createServer().listen({ port, host: '127.0.0.1', exclusive: true });
  await once(server, 'listening');
  return server;
}
