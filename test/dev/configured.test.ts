// Where the management API of a configured RabbitMQ is.
import { expect, test } from 'vitest';

import { readEnvironment } from '../../dev/environment.ts';
import { configuredManagementUrl } from '../../dev/services/configured.ts';

test.each([
  [{}, undefined],
  [{ AMQP_URL: 'none' }, 'none'],
  [{ AMQP_URL: 'amqp://rabbit' }, 'http://guest:guest@rabbit:15672'],
  [{ AMQP_URL: 'amqp://me:p%40ss@rabbit:5673/vhost' }, 'http://me:p%40ss@rabbit:15672'],
  [{ AMQP_URL: 'amqp://me:secret@a:5673,b/vhost' }, 'http://me:secret@a:15672'],
  [{ AMQP_URL: 'amqps://me:secret@rabbit' }, 'https://me:secret@rabbit:15671'],
  [{ AMQP_URL: 'amqp://rabbit', RABBITMQ_MANAGEMENT_URL: 'http://a:b@panel:80/' }, 'http://a:b@panel:80'],
])('%j leads to %s', (env, expected) => {
  expect(configuredManagementUrl(readEnvironment(env))).toBe(expected);
});

test('an AMQP_URL that is not a URL is named, without printing what may be a password', () => {
  const environment = readEnvironment({ AMQP_URL: 'user:secret@rabbit' });
  expect(() => configuredManagementUrl({ ...environment, amqpUrl: '//secret' })).toThrow(
    'AMQP_URL is not a URL',
  );
});
