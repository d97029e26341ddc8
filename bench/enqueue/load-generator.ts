// The load generator, a program of its own: autocannon on command of its parent, with every answer timed by the suite's clock.
// One process for all contenders, so that none meets a cold one. It ends when its parent does.
// The only file that needs the packages of bench/package.json: `npm run check:versus` checks its types, and nobody imports it.
import autocannon from 'autocannon';
import { SEEDED_ORDERS } from '../../examples/shop/orders.ts';
import { monotonicMs } from '../stage/monotonic.ts';
import type { Load, LoadResult } from './load.ts';

process.on('message', (load: Load) => {
  void fire(load).then((result) => process.send?.(result));
});
process.on('disconnect', () => process.exit(0));

function fire({ url, requests, connections, request }: Load): Promise<LoadResult> {
  const { promise, resolve, reject } = Promise.withResolvers<LoadResult>();
  const latenciesMs: number[] = [];
  const result = { startedAt: 0, endedAt: 0, completed: 0, failed: 0, latenciesMs };
  let client = 0;
  const run = autocannon(
    {
      url,
      connections,
      amount: requests,
      sampleInt: 20, // the run ends with a sample
      setupClient: (one) =>
        one.setRequests(request ? [request] : ownRequests(client++ % connections, connections)),
    },
    (error) => (error ? reject(error) : resolve({ ...result, failed: requests - result.completed })),
  );
  // Its clients are made by then, which takes as long as hundreds of requests; their clocks run from before.
  run.on('start', () => {
    result.startedAt = monotonicMs();
  });
  run.on('response', (_client, status, _bytes, latencyMs) => {
    result.endedAt = monotonicMs();
    if (status >= 200 && status < 300) result.completed += 1;
    latenciesMs.push(Math.min(latencyMs, result.endedAt - result.startedAt));
  });
  return promise;
}

/** Each connection asks for orders of its own: two that asked for the same one at once would be one lookup. */
function ownRequests(client: number, connections: number): { method: 'GET'; path: string }[] {
  const share = Math.floor(SEEDED_ORDERS / connections);
  return Array.from({ length: share }, (_, index) => ({
    method: 'GET',
    path: `/api/test/${client * share + index + 1}`,
  }));
}
