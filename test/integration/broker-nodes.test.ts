// An AMQP URL that names several nodes: a connection goes to one that is there, and to another one when that is lost.
import type { Socket } from 'node:net';
import { createServer } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePorts } from '../../dev/free-port.ts';
import { Events } from '../../src/shared/observe/events.ts';
import { BrokerConnection } from '../../src/shared/rabbitmq/connection.ts';
import { eventually, HANG_MS } from '../support/eventually.ts';
import type { FaultyProxy } from '../support/faulty-proxy.ts';
import { startFaultyProxy } from '../support/faulty-proxy.ts';
import type { TestVhost } from '../support/servers.ts';
import { createVhost } from '../support/servers.ts';

let vhost: TestVhost;
/** Each leads to the same server, as a node of its own would. */
let nodes: [FaultyProxy, FaultyProxy];
let deadPort: number;

beforeAll(async () => {
  vhost = await createVhost();
  nodes = [await startFaultyProxy(vhost.url), await startFaultyProxy(vhost.url)];
  [deadPort = 0] = await freePorts(1);
});

afterAll(async () => {
  for (const node of nodes) await node[Symbol.asyncDispose]();
  await vhost[Symbol.asyncDispose]();
});

function connectTo(...hosts: string[]): BrokerConnection & AsyncDisposable {
  const url = vhost.url.replace(new URL(vhost.url).host, hosts.join(','));
  const connection = new BrokerConnection({ url, name: 'nodes', events: new Events() });
  connection.start();
  return Object.assign(connection, { [Symbol.asyncDispose]: async () => connection.stop() });
}

const hostOf = ({ url }: FaultyProxy) => new URL(url).host;

test('nodes that refuse are passed over, whichever comes first', async () => {
  const dead = `127.0.0.1:${deadPort}`;
  for (let n = 0; n < 10; n += 1) {
    await using connection = connectTo(dead, dead, hostOf(nodes[0]));
    await connection.opened(HANG_MS);
  }
});

test('a connection whose node is lost is opened to the other one, there and back', async () => {
  await using connection = connectTo(...nodes.map(hostOf));
  await connection.opened(HANG_MS);
  for (let n = 0; n < 2; n += 1) {
    const [lost, other] = nodes[0].connections > 0 ? nodes : nodes.toReversed();
    lost?.cut();
    await eventually(
      () => other?.connections,
      (count) => count === 1,
    );
    await connection.opened(HANG_MS);
    lost?.restore();
  }
});

test('connections are spread over the nodes', async () => {
  await using started = new AsyncDisposableStack();
  const connections = Array.from({ length: 20 }, () => started.use(connectTo(...nodes.map(hostOf))));
  await Promise.all(connections.map(async (connection) => connection.opened(HANG_MS)));
  // One in a million runs has all of them on one node.
  expect(Math.min(nodes[0].connections, nodes[1].connections)).toBeGreaterThan(0);
});

test('where no node is there, each is asked in its turn, with waits that grow', async () => {
  const seen: number[] = [];
  await using started = new AsyncDisposableStack();
  const listen = async (index: number): Promise<number> => {
    const server = createServer((socket: Socket) => {
      seen.push(index);
      socket.destroy();
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    server.listen(0, '127.0.0.1', resolve);
    await promise;
    started.defer(() => void server.close());
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  };
  const ports = [await listen(0), await listen(1), await listen(2)];
  const startedAt = performance.now();
  await using _connection = connectTo(...ports.map((port) => `127.0.0.1:${port}`));
  await eventually(
    () => seen.length,
    (count) => count >= 9,
  );
  // Two waits lie between three rounds: the shortest that jitter makes of 200 and 400 ms.
  expect(performance.now() - startedAt).toBeGreaterThan(140);
  for (const round of [seen.slice(0, 3), seen.slice(3, 6), seen.slice(6, 9)])
    expect(round.toSorted()).toEqual([0, 1, 2]);
});
