import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineJob } from '../../../src/jobs/define.ts';
import { deliverWebhook } from '../../../src/jobs/deliver-webhook.ts';
import type { JobDefinition } from '../../../src/shared/job/job.ts';
import { createRedactor, redactEnding, redactJob } from '../../../src/shared/job/redaction.ts';

const type = (redact?: readonly string[]): JobDefinition =>
  defineJob({
    type: 'call',
    args: z.unknown(),
    perform: async () => {},
    ...(redact === undefined ? {} : { redact }),
  });
const job = (args: unknown, output: unknown = null, message = 'it failed') => ({
  id: '1',
  args,
  output,
  errors: [{ attempt: 1, at: '2026-01-01T00:00:00.000Z', message }],
});

test('a webhook shows the names of its headers and none of their values, however they are written', () => {
  const headers = { Authorization: 'Bearer s3cret-token', 'x-shop': 'another secret' };
  const args = { url: 'https://example.com/', headers, body: { a: 1 } };
  const shown = redactJob(
    job(args, { bodyPreview: 'you sent s3cret-token' }, 'the endpoint answered 401: Bearer s3cret-token'),
    deliverWebhook as JobDefinition,
  );
  expect(shown.args).toEqual({
    url: 'https://example.com/',
    headers: { Authorization: '[redacted]', 'x-shop': '[redacted]' },
    body: { a: 1 },
  });
  expect(shown.output).toEqual({ bodyPreview: 'you sent [redacted]' });
  expect(shown.errors[0]?.message).toBe('the endpoint answered 401: [redacted]');
  expect(args.headers).toBe(headers); // what the handler gets is as it was
});

test.each([
  [['password'], { password: 'hunter22', name: 'x' }, { password: '[redacted]', name: 'x' }],
  [['password'], { PassWord: { deep: ['hunter22'] } }, { PassWord: '[redacted]' }],
  [['a.*.b'], { a: [{ b: 1, c: 2 }, { c: 3 }] }, { a: [{ b: '[redacted]', c: 2 }, { c: 3 }] }],
  [['a.1'], { a: ['x', 'y'] }, { a: ['x', '[redacted]'] }],
  [['headers.*'], { headers: 'authorization: x' }, { headers: '[redacted]' }],
  [['a.b'], { a: null }, { a: null }],
  [['a', 'a.b'], { a: { b: 1 } }, { a: '[redacted]' }],
  [['a'], 'no object', '[redacted]'],
])('the paths %j hide of %j what they name', (redact, args, shown) => {
  expect(redactJob(job(args), type(redact)).args).toEqual(shown);
});

test('a type that names nothing is shown as it is', () => {
  const plain = job({ password: 'hunter22' }, 'hunter22');
  expect(redactJob(plain, type())).toBe(plain);
});

test('of a type that is not known arguments and output are hidden', () => {
  expect(redactJob(job({ password: 'hunter22' }, 'hunter22'), undefined)).toMatchObject({
    args: '[redacted]',
    output: '[redacted]',
  });
  expect(redactJob(job(null), undefined)).toMatchObject({ args: null, output: null });
});

test('an ending is kept and logged without what the arguments hide, and keeps its kind', () => {
  const args = { password: 'failed hunter22' };
  const definition = type(['password']);
  expect(redactEnding({ kind: 'failed', message: 'no entry with hunter22' }, args, definition)).toEqual({
    kind: 'failed',
    message: 'no entry with [redacted]',
  });
  const at = new Date(0);
  expect(redactEnding({ kind: 'succeeded', output: { at, said: ['hunter22'] } }, args, definition)).toEqual({
    kind: 'succeeded',
    output: { at: at.toISOString(), said: ['[redacted]'] },
  });
});

test('the stack and the causes of an error are redacted too, in the history and before they are kept', () => {
  const origin = {
    stack: '    at hunter22.js:1',
    causes: [{ message: 'hunter22 is wrong', stack: '    at hunter22' }],
  };
  const redacted = {
    stack: '    at [redacted].js:1',
    causes: [{ message: '[redacted] is wrong', stack: '    at [redacted]' }],
  };
  const secret = { password: 'hunter22' };
  const definition = type(['password']);
  expect(redactEnding({ kind: 'failed', message: 'no', origin }, secret, definition)).toEqual({
    kind: 'failed',
    message: 'no',
    origin: redacted,
  });
  const at = '2026-01-01T00:00:00.000Z';
  const failed = { args: secret, output: null, errors: [{ attempt: 1, at, message: 'no', ...origin }] };
  expect(redactJob(failed, definition).errors).toEqual([{ attempt: 1, at, message: 'no', ...redacted }]);
});

test('values too short to be told from other text are hidden in the arguments alone', () => {
  const shown = redactJob(job({ pin: '1234' }, null, 'after 1234 ms'), type(['pin']));
  expect(shown).toMatchObject({ args: { pin: '[redacted]' }, errors: [{ message: 'after 1234 ms' }] });
});

test('a number that is hidden is hidden where it shows as a number, too', () => {
  const shown = redactJob(
    job({ card: 4111111111111111, n: 7 }, { charged: 4111111111111111, n: 7 }),
    type(['card']),
  );
  expect(shown.output).toEqual({ charged: '[redacted]', n: 7 });
});

test('what a handler logs may have circles', () => {
  const details: Record<string, unknown> = { token: 'hunter22', list: [] };
  details['self'] = details;
  (details['list'] as unknown[]).push(details['list'], 'hunter22');
  expect(createRedactor({ password: 'hunter22' }, type(['password']))(details)).toEqual({
    token: '[redacted]',
    list: ['[circular]', '[redacted]'],
    self: '[circular]',
  });
});

test('names of members are hidden with the member that has them, and looked for nowhere else', () => {
  const args = { tokens: { customer: { id: 'hunter22' } }, names: { customer: 'hunter33' } };
  const shown = redactJob(job(args, { customer: 'hunter33' }, 'at customer.js'), type(['tokens', 'names.*']));
  expect(shown).toMatchObject({
    args: { tokens: '[redacted]', names: { customer: '[redacted]' } },
    output: { customer: '[redacted]' },
    errors: [{ message: 'at customer.js' }],
  });
});
