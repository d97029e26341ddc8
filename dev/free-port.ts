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

/** Before anything slow: whoever has the port occupied wants to know now. `command`: what a person has called. */
export async function readFreePort(text: string, command: string): Promise<number> {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error(`PORT=${text} is not a port`);
  if (await isPortFree(port)) return port;
  throw new Error(`port ${port} is taken; choose another one: PORT=${port + 1} ${command}`);
}

async function listen(port: number) {
  const server = createServer().listen({ port, host: '127.0.0.1', exclusive: true });
  await once(server, 'listening');
  return server;
}
