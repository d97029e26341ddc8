import { once } from 'node:events';
import type { AddressInfo, LookupFunction, Socket } from 'node:net';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import type { Exchange } from '../../../src/jobs/webhook/exchange.ts';
import { exchange } from '../../../src/jobs/webhook/exchange.ts';
import { closed, startEndpoint } from './endpoint.ts';

test('connects to the address that lookup answered, and asks once', async () => {
  await using endpoint = await startEndpoint((response) => response.end('hello'));
  const names: string[] = [];
  const lookup: LookupFunction = (name, _, callback) => {
    names.push(name);
    callback(null, [{ address: '127.0.0.1', family: 4 }]);
  };
  const answer = await exchange(get(`http://receiver.invalid:${endpoint.port}/`, { lookup }));
  expect(answer).toEqual({ status: 200, body: Buffer.from('hello') });
  expect(names).toEqual(['receiver.invalid']);
  expect(endpoint.requests[0]?.headers.host).toBe(`receiver.invalid:${endpoint.port}`);
});

test('fails with the very error of lookup, without connecting', async () => {
  await using endpoint = await startEndpoint((response) => response.end());
  const refusal = new Error('refused');
  const lookup: LookupFunction = (_name, _options, callback) => callback(refusal, []);
  await expect(exchange(get(`http://receiver.invalid:${endpoint.port}/`, { lookup }))).rejects.toBe(refusal);
  expect(endpoint.requests).toEqual([]);
});

test('reads so many bytes of an endless answer, then closes the connection', async () => {
  await using endpoint = await startEndpoint((response) => {
    const more = () => {
      while (response.write(Buffer.alloc(16_384, 'x')));
    };
    response.on('drain', more);
    more();
  });
  const { body } = await exchange(get(endpoint.url, { maxBodyBytes: 50_000 }));
  expect(body.length).toBe(50_000);
});

test.each([
  ['nothing', ''],
  ['something else than HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
  [
    'a switch of protocols that nobody asked for',
    'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n',
  ],
  ['half of what it announced', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf'],
  ['endless headers', `HTTP/1.1 200 OK\r\nx: ${'x'.repeat(100_000)}`],
])('fails where the answer is %s', async (_, bytes) => {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(bytes));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await expect(exchange(get(`http://127.0.0.1:${port}/`))).rejects.toThrow();
  server.close();
  await once(server, 'close');
});

test('does not go on sending after the answer', async () => {
  const accepted = Promise.withResolvers<Socket>();
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.write('HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n\r\n');
    accepted.resolve(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const body = Buffer.alloc(64 * 1_048_576);
  const answer = await exchange({ ...get(`http://127.0.0.1:${port}/`), method: 'POST', body });
  expect(answer.status).toBe(413);
  const socket = await accepted.promise;
  const disconnected = closed(socket);
  socket.resume();
  await disconnected;
  expect(socket.bytesRead).toBeLessThan(body.length);
  server.close();
  await once(server, 'close');
});

test('says of each address of a name why it could not be reached', async () => {
  const endpoint = await startEndpoint((response) => response.end());
  await endpoint[Symbol.asyncDispose]();
  const addresses = [
    { address: '127.0.0.1', family: 4 },
    { address: '127.0.0.2', family: 4 },
  ];
  const lookup: LookupFunction = (_name, _options, callback) => callback(null, addresses);
  await expect(exchange(get(`http://receiver.invalid:${endpoint.port}/`, { lookup }))).rejects.toThrow(
    /ECONNREFUSED 127\.0\.0\.1:.*; .*ECONNREFUSED 127\.0\.0\.2:/,
  );
});

function get(url: string, more: Partial<Exchange> = {}): Exchange {
  return {
    url: new URL(url),
    method: 'GET',
    headers: {},
    body: Buffer.alloc(0),
    lookup: (_name, _options, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }]),
    maxBodyBytes: 65_536,
    signal: new AbortController().signal,
    ...more,
  };
}
