// An answer that lasts ends with the token that has asked for it.
import { expect, test } from 'vitest';
import { AccessTokens } from '../../../src/api/access/access-tokens.ts';
import type { AppDependencies } from '../../../src/api/app.ts';
import type { WatchItem } from '../../../src/shared/job/job-event.ts';
import { createOfflineApp } from '../../support/api.ts';
import { listOf } from './tokens.ts';

/** Nobody leaves it: it has something to tell as often as it is asked. */
async function* talk(): AsyncGenerator<WatchItem, void, undefined> {
  yield { kind: 'ready', position: '1_1:1:' };
  for (;;) yield { kind: 'idle', position: '1_1:1:' };
}

test.each<[string, [string, 'viewer' | 'metrics'][]]>([
  ['is taken off the list', [['another', 'viewer']]],
  ['may do less than before', [['a token', 'metrics']]],
])('a stream of events ends when its token %s', async (_, later) => {
  const tokens = new AccessTokens({ listed: listOf([['a token', 'viewer']]) });
  const jobEvents = { watch: talk } as unknown as AppDependencies['jobEvents'];
  const app = createOfflineApp({ tokens, jobEvents });
  const response = await app.request('/v1/events', { headers: { authorization: 'Bearer a token' } });
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  expect((await reader.read()).done).toBe(false);
  tokens.replace(listOf(later));
  let last = await reader.read();
  for (let reads = 0; !last.done && reads < 10_000; reads += 1) last = await reader.read(); // what was buffered comes still
  expect(last.done).toBe(true);
});
