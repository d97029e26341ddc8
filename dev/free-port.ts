// Free ports on loopback.
// A port is free when this looks; whoever listens on it next has to do so soon, and say so when it was taken meanwhile.
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below those that a system takes for connections that it opens (Linux from 32768, macOS from 49152): between this look and the listening, and while a killed program is started
 * again, such a connection would take the port away.
 */
const FIRST = 20_000;
const LAST = 29_999;

/** `count` different free ports, drawn at random, so that two who look at the same time find different ones. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  for (let tries = 0; ports.size < count; tries += 1) {
    if (tries > LAST - FIRST) throw new Error(`hardly any port from ${FIRST} to ${LAST} is free`);
    const port = randomInt(FIRST, LAST + 1);
    if (await isPortFree(port)) ports.add(port);
  }
  return [...ports];
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
