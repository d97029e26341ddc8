// How the server ends, on real sockets: who talks is told, who is silent is waited for, and nobody is cut off.
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { HttpServer } from '../../../src/shared/http/http-server.ts';

/** Longer than any test: a drain that lasts that long has not ended by itself. */
const FOR_EVER_MS = 600_000;

const stack: AsyncDisposable[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const disposable of stack.splice(0)) await disposable[Symbol.asyncDispose]();
});

async function startServer(
  drainMs: number,
  fetch: () => Response | Promise<Response> = () => new Response('ok'),
) {
  const server = new HttpServer({ fetch, host: '127.0.0.1', port: 0, drainMs });
  const { port } = new URL(await server.start());
  return { server, port: Number(port) };
}

function keepAlive(): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  stack.push({
    [Symbol.asyncDispose]: async () => agent.destroy(),
  });
  return agent;
}

async function get(port: number, agent: Agent): Promise<{ status: number; connection: string | undefined }> {
  const sent = request({ host: '127.0.0.1', port, agent });
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
  return { status: response.statusCode ?? 0, connection: response.headers.connection };
}

test('a server that stops answers on kept connections and on new ones, and closes each with its answer', async () => {
  const answers = [new Response('first')];
  const arrived = Promise.withResolvers<void>();
  const held = Promise.withResolvers<Response>();
  const { server, port } = await startServer(FOR_EVER_MS, () => {
    const answer = answers.shift();
    if (answer === undefined) arrived.resolve();
    return answer ?? held.promise;
  });
  const kept = keepAlive();
  expect(await get(port, kept)).toEqual({ status: 200, connection: 'keep-alive' });
  const stopped = server.stop();
  const onKept = get(port, kept); // held until the other is answered: a server that nobody is connected to for a second ends
  await arrived.promise;
  answers.push(new Response('second'));
  expect(await get(port, keepAlive())).toEqual({ status: 200, connection: 'close' });
  held.resolve(new Response('third'));
  expect(await onKept).toEqual({ status: 200, connection: 'close' });
  await stopped; // nobody is connected any more
  await expect(get(port, keepAlive())).rejects.toThrow('ECONNREFUSED');
});

test('a request that was under way when the server was told to stop closes its connection, too', async () => {
  const arrived = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<Response>();
  const { server, port } = await startServer(FOR_EVER_MS, () => {
    arrived.resolve();
    return answer.promise;
  });
  const answered = get(port, keepAlive());
  await arrived.promise;
  const stopped = server.stop();
  answer.resolve(new Response('late'));
  expect(await answered).toEqual({ status: 200, connection: 'close' });
  await stopped;
});

test('a request is answered though the drain is over', async () => {
  const arrived = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<Response>();
  const { server, port } = await startServer(0, () => {
    arrived.resolve();
    return answer.promise;
  });
  const answered = get(port, keepAlive());
  await arrived.promise;
  const stopped = server.stop();
  await expect(get(port, keepAlive())).rejects.toThrow('ECONNREFUSED');
  answer.resolve(new Response('late'));
  expect(await answered).toEqual({ status: 200, connection: 'close' });
  await stopped;
});

test('a connection that stays silent is closed at the end of the drain', async () => {
  const drainMs = 300;
  const { server, port } = await startServer(drainMs);
  const socket = connect(port, '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  await once(socket, 'data');
  const closed = once(socket, 'close');
  const startedAt = performance.now();
  await server.stop();
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(drainMs);
  await closed;
});

test('a connection on which nothing was ever sent holds nobody up', async () => {
  const { server, port } = await startServer(0);
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  expect(await get(port, keepAlive())).toMatchObject({ status: 200 }); // the server has seen both
  const closed = once(socket, 'close');
  vi.useFakeTimers({ toFake: ['performance'] }); // the ten seconds that requests under way have never end
  await server.stop();
  await closed;
});

test('a server that nobody is connected to ends long before its drain time', async () => {
  const { server } = await startServer(FOR_EVER_MS);
  await server.stop();
});
