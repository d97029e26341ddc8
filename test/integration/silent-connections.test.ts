// Whoever connects and says nothing is cut off, so that idle sockets cannot pile up in a process.
import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { HttpServer } from '../../src/shared/http/http-server.ts';
import { serveHealth } from '../../src/worker/health.ts';

/** The limit is ten seconds; this is for a hang. */
const HANG_MS = 90_000;

const metrics = { render: async () => '', contentType: 'text/plain', describe: () => [], stop: () => {} };

async function servers(): Promise<Record<string, { port: number; close: () => Promise<void> }>> {
  const api = new HttpServer({ fetch: () => new Response('ok'), host: '127.0.0.1', port: 0 });
  const port = Number(new URL(await api.start()).port);
  const health = await serveHealth({
    host: '127.0.0.1',
    port: 0,
    metrics,
    alive: () => true,
    checks: async () => ({}),
  });
  return { 'the API': { port, close: () => api.stop() }, "the worker's health server": health };
}

test('a connection that sends nothing is closed, by the API and by the health server of a worker', {
  timeout: HANG_MS,
}, async () => {
  const running = Object.entries(await servers());
  const closed = await Promise.all(
    running.map(async ([name, { port }]) => {
      const socket = connect({ host: '127.0.0.1', port });
      socket.resume();
      await once(socket, 'close');
      return name;
    }),
  );
  expect(closed).toEqual(['the API', "the worker's health server"]);
  await Promise.all(running.map(([, { close }]) => close()));
});
