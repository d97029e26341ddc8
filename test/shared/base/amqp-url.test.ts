// AMQP URLs of one node and of several.
import { expect, test } from 'vitest';
import { nodeUrls } from '../../../src/shared/base/amqp-url.ts';

test.each([
  ['amqp://rabbit', ['amqp://rabbit']],
  ['amqp://me:a,b@rabbit/v', ['amqp://me:a,b@rabbit/v']],
  [
    'amqps://me:p@ss@a:5671,b,[::1]:5673/v%2F1?heartbeat=5',
    [
      'amqps://me:p@ss@a:5671/v%2F1?heartbeat=5',
      'amqps://me:p@ss@b/v%2F1?heartbeat=5',
      'amqps://me:p@ss@[::1]:5673/v%2F1?heartbeat=5',
    ],
  ],
  ['amqp://a:1, b:2', ['amqp://a:1', 'amqp://b:2']],
  ['amqp://a,', ['amqp://a', 'amqp://']],
  ['a,b', ['a,b']],
])('%s names the nodes %j', (url, urls) => {
  expect(nodeUrls(url)).toEqual(urls);
});
