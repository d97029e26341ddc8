// What a web page somewhere may make a person's browser do to a server on that person's machine: nothing.
import { describe, expect, test } from 'vitest';
import { createOfflineApp, toAnswer } from '../../support/api.ts';

const local = createOfflineApp({ hosts: new Set(['jobs.example', 'other.example:8080']) });

async function ask(path: string, headers: Record<string, string>, method = 'GET', app = local) {
  return await toAnswer(await app.request(path, { method, headers }));
}

describe('without a token, a Host', () => {
  test.each([
    'localhost',
    'localhost:3000',
    'LOCALHOST:1',
    '127.0.0.1',
    '127.9.8.7:65535',
    '[::1]',
    '[::1]:3000',
    'jobs.example',
    'Jobs.Example:1234',
    'other.example:8080',
  ])('%s is answered', async (host) => {
    expect((await ask('/openapi.json', { host })).status).toBe(200);
  });

  test.each([
    'rebind.evil.example',
    'rebind.evil.example:3000',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '127.0.0.1evil.example',
    '10.0.0.1:3000',
    '0.0.0.0:3000',
    '[::2]:3000',
    'other.example',
    'other.example:8081',
    'evil.example:@localhost',
  ])('%s is refused, whatever is asked for', async (host) => {
    for (const [method, path] of [
      ['GET', '/openapi.json'],
      ['POST', '/v1/jobs'],
      ['GET', '/api/test/7'],
      ['GET', '/nope'],
    ] as const)
      expect(await ask(path, { host }, method)).toMatchObject({
        status: 403,
        body: { code: 'foreign_host' },
      });
  });

  test('does not matter to health checks, which Kubernetes sends to the address of the pod', async () => {
    expect((await ask('/livez', { host: '10.1.2.3:3000', origin: 'https://evil.example' })).status).toBe(200);
  });

  test('does not matter where every host is answered', async () => {
    expect((await ask('/openapi.json', { host: 'any.example' }, 'GET', createOfflineApp())).status).toBe(200);
  });
});

describe('a request of another origin', () => {
  const foreign: Record<string, string>[] = [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' }, // another port of this machine
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' },
    { 'sec-fetch-site': 'none', origin: 'https://evil.example' },
    { origin: 'https://evil.example' },
    { origin: 'http://localhost:8080' },
    { origin: 'http://localhost' },
    { origin: 'null' },
    { origin: '' },
    { origin: 'http://localhost:3000, http://evil.example' },
    { origin: 'http://localhost:3000@evil.example' },
  ];

  test.each(foreign)('that shows by %j is refused for every route', async (headers) => {
    for (const [method, path] of [
      ['GET', '/api/test/7'],
      ['POST', '/api/test/7'],
      ['POST', '/v1/jobs'],
      ['POST', '/v1/queues/default/pause'],
      ['POST', '/v1/jobs/1/cancel'],
      ['GET', '/v1/jobs'],
      ['GET', '/metrics'],
      ['OPTIONS', '/v1/jobs'],
    ] as const)
      expect(await ask(path, { host: 'localhost:3000', ...headers }, method)).toMatchObject({
        status: 403,
        body: { code: 'foreign_origin' },
      });
  });

  test('is refused on a public server too', async () => {
    const headers = { host: 'jobs.example', origin: 'https://evil.example' };
    expect((await ask('/metrics', headers, 'GET', createOfflineApp())).status).toBe(403);
  });
});

test.each<Record<string, string>>([
  {},
  { 'sec-fetch-site': 'none' },
  { 'sec-fetch-site': 'same-origin', origin: 'http://localhost:3000' },
  { 'sec-fetch-site': 'same-origin', origin: 'https://the.name.before.the.proxy' },
  { origin: 'http://localhost:3000' },
  { origin: 'HTTP://LocalHost:3000' },
])('a request of a program, a person or a page of ours passes: %j', async (headers) => {
  expect((await ask('/metrics', { host: 'localhost:3000', ...headers })).status).toBe(200);
});

test('a port that the scheme implies may be left out', async () => {
  const headers = { host: 'jobs.example:443', origin: 'https://jobs.example' };
  expect((await ask('/metrics', headers)).status).toBe(200);
});
