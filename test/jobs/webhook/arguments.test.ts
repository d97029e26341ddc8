import { expect, test } from 'vitest';
import { webhookArguments } from '../../../src/jobs/webhook/arguments.ts';

const url = 'https://example.com/hook';
const accepts = (args: unknown) => webhookArguments.safeParse(args).success;

test('fills in the defaults', () => {
  expect(webhookArguments.parse({ url })).toEqual({ url, method: 'POST', headers: {}, timeoutMs: 30_000 });
});

test.each([null, false, 0, '', 'text', [], {}, { nested: [1, { two: null }] }])(
  'accepts %j as a body',
  (body) => {
    expect(webhookArguments.parse({ url, body })).toMatchObject({ body });
  },
);

test.each([
  'http://example.com',
  'https://example.com:8443/a?b=c#d',
  'http://[2606:4700:4700::1111]/',
  'http://127.0.0.1/', // whether it is allowed is a setting, looked at when it runs
])('accepts the URL %j', (given) => {
  expect(accepts({ url: given })).toBe(true);
});

test.each([
  '',
  'example.com',
  '/hook',
  'ftp://example.com/',
  'file:///etc/passwd',
  'data:text/plain,x',
  'http://',
  'https://user@example.com/',
  'https://user:password@example.com/',
  'http://[fe80::1%25eth0]/',
  `https://example.com/${'a'.repeat(8_200)}`,
  undefined,
  7,
])('refuses the URL %j', (given) => {
  expect(accepts({ url: given })).toBe(false);
});

test.each([
  { authorization: 'Bearer x' },
  { 'Content-Type': 'application/cloudevents+json' },
  { 'x-empty': '' },
  { 'x-latin': 'Grüße' },
])('accepts the headers %j', (headers) => {
  expect(accepts({ url, headers })).toBe(true);
});

test.each([
  { 'x-split': 'a\r\nx-injected: b' },
  { 'x-line': 'a\nb' },
  { 'x-nul': 'a\u0000b' },
  { 'x-wide': '→' },
  { 'x-name\r\nx-injected': 'a' },
  { 'x name': 'a' },
  { 'x:name': 'a' },
  { '': 'a' },
  { 'x-twice': '1', 'X-Twice': '2' },
  { 'x-long': 'a'.repeat(9_000) },
  { 'x-number': 1 },
  Object.fromEntries(Array.from({ length: 51 }, (_, n) => [`x-${n}`, ''])),
  'x: y',
  null,
])('refuses the headers %j', (headers) => {
  expect(accepts({ url, headers })).toBe(false);
});

test.each([
  'Connection',
  'content-length',
  'Expect',
  'HOST',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'Trailer',
  'Transfer-Encoding',
  'upgrade',
  'WARREN-attempt',
  'Webhook-Id',
  'webhook-signature',
  'webhook-timestamp',
])('refuses the header %s, which is not for the user to set', (name) => {
  expect(accepts({ url, headers: { [name]: 'x' } })).toBe(false);
});

test('names the header that is refused', () => {
  const { error } = webhookArguments.safeParse({ url, headers: { Host: 'internal' } });
  expect(error?.issues).toMatchObject([{ path: ['headers', 'Host'], message: 'is set by Warren' }]);
});

test('headers called __proto__ and constructor pollute nothing', () => {
  webhookArguments.safeParse(JSON.parse(`{"url":"${url}","headers":{"__proto__":"x","constructor":"y"}}`));
  expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  expect(typeof {}.constructor).toBe('function');
});

test.each([
  { method: 'TRACE' },
  { method: 'post' },
  { method: 'CONNECT' },
  { timeoutMs: 0 },
  { timeoutMs: 600_001 },
  { timeoutMs: 1.5 },
  { timeoutMs: '30' },
  { method: 'GET', body: 'x' },
  { agent: {} },
])('refuses %j', (args) => {
  expect(accepts({ url, ...args })).toBe(false);
});

test.each([
  { method: 'GET' },
  { method: 'DELETE', body: { a: 1 } },
  { timeoutMs: 1 },
  { timeoutMs: 600_000 },
])('accepts %j', (args) => {
  expect(accepts({ url, ...args })).toBe(true);
});
