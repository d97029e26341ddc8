import { expect, test } from 'vitest';
import { readyCount } from '../support/broker.ts';
import { listen } from '../support/events.ts';
import { startFleet, testJob } from '../support/fleet.ts';

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

test('however often a job is delivered, before, while and after it runs, it starts once', async () => {
  const starts = new Map<string, number>();
  const release = Promise.withResolvers<void>();
  await using fleet = await startFleet(
    testJob(async (args, { jobId }) => {
      starts.set(jobId, (starts.get(jobId) ?? 0) + 1);
      if (args['waits'] === true) await release.promise;
    }),
  );
  const ids = await Promise.all(
    Array.from({ length: 60 }, (_, index) => fleet.enqueue({ waits: index % 4 === 0 })),
  );
  const publishAll = () =>
    Promise.all(
      shuffled(ids).map((id) => fleet.publisher.publish({ id, type: 'test-job', queue: 'default' })),
    );
  await publishAll();
  await publishAll();
  using suppressed = listen(fleet.events, 'delivery.suppressed');
  const workers = [await fleet.startWorker(), await fleet.startWorker()];
  for (const [index, id] of ids.entries()) await fleet.until(id, index % 4 === 0 ? 'running' : 'completed');
  await publishAll();
  await suppressed.count(15, ({ reason }) => reason === 'runs-here' || reason === 'runs-elsewhere');
  release.resolve();
  for (const id of ids)
    expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1, errors: [] });
  await publishAll();
  await suppressed.count(4 * ids.length); // of the five messages of each job, all but the one that started it
  for (const worker of workers) await fleet.stopWorker(worker);

  expect([...starts.values()]).toEqual(ids.map(() => 1));
  expect(await readyCount(fleet.vhost, 'warren.default')).toBe(0);
});
