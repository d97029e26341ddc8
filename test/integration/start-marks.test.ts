import { expect, test } from 'vitest';
import { startFleet, testJob } from '../support/fleet.ts';
import { untilMarkedStarted } from '../support/start-mark.ts';

test('a worker tells that it has started a job while the job runs, and not before its handler is called', async () => {
  const gate = Promise.withResolvers<void>();
  const called: string[] = [];
  await using fleet = await startFleet(
    testJob(async (_args, { jobId }) => {
      called.push(jobId);
      await gate.promise;
    }),
  );
  await fleet.startWorker();
  for (const _ of [1, 2, 3]) {
    const id = await fleet.enqueue();
    await untilMarkedStarted(fleet, id);
    expect(called).toContain(id);
  }
  gate.resolve();
});
