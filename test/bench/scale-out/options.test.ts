import { describe, expect, test } from 'vitest';
import { helpText, parseOptions } from '../../../bench/scale-out/options.ts';

const nothing = { apiToken: undefined, databaseUrl: undefined };
const parse = (text: string, environment: Partial<typeof nothing> | Record<string, string> = {}) =>
  parseOptions(text.split(' ').filter(Boolean), { ...nothing, ...environment });

test('without options the load is the article’s, until told', () => {
  expect(parse('')).toMatchObject({
    url: new URL('http://127.0.0.1:3000'),
    namespace: 'warren',
    context: undefined,
    isSending: true,
    plan: { type: 'process-order', batch: 1 },
    requests: 3_000,
    concurrency: 100,
    loadMs: Number.POSITIVE_INFINITY,
  });
});

test('the environment names the servers', () => {
  const environment = {
    apiToken: 'secret',
    databaseUrl: 'postgres://p',
  };
  expect(parse('--minutes 1.5 --watch', environment)).toMatchObject({
    token: 'secret',
    databaseUrl: 'postgres://p',
    loadMs: 90_000,
    isSending: false,
  });
});

test('help names every option', () => {
  expect(parse('--help')).toBeUndefined();
  for (const name of ['url', 'namespace', 'context', 'minutes', 'type', 'batch', 'watch', 'out'])
    expect(helpText).toContain(`--${name}`);
});

describe('what is wrong is told, all of it together', () => {
  test.each([
    [
      '--requests 0 --interval x',
      /--requests must be a whole number from 1; --interval must be a number from 0.2/,
    ],
    ['--type nothing', /--type must be one of process-order, build-report, deliver-webhook/],
    ['--type deliver-webhook', /--webhook-url must be a URL/],
    ['--url ftp://x', /--url must be a URL that begins with http/],
    ['--batch 10001', /--batch must be at most 10000/],
    ['--concurrency 1.5', /--concurrency must be a whole number/],
    ['--nonsense', /nonsense/],
  ])('%s', (text, message) => {
    expect(() => parse(text)).toThrow(message);
  });
});
