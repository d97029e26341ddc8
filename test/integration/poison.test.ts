import { expect, test } from 'vitest';
import type { Fleet } from '../support/fleet.ts';
import { startFleet } from '../support/fleet.ts';
import { poisonJobs } from '../support/poison-jobs.ts';
import { startFile } from '../support/program.ts';
import { asRole, asUser } from '../support/servers.ts';

test('a job that takes its process down is discarded at the third time, alone; its neighbours complete', async () => {
  await using fleet = await startFleet(...poisonJobs.values());
  const poison = await fleet.enqueue({}, { type: 'poison' });
  const neighbours = await Promise.all(
    Array.from({ length: 5 }, () => fleet.enqueue({}, { type: 'neighbour' })),
  );
  const restarts = await keepWorkerUntilEnded(fleet, [poison, ...neighbours]);

  const discarded = await fleet.job(poison);
  expect(discarded).toMatchObject({ state: 'discarded' });
  expect(discarded.errors.map(({ message }) => message.split(':')[0])).toEqual(
    Array(3).fill('worker_crashed'),
  );
  expect(discarded.errors[2]?.message).toContain('exit code 66');
  for (const id of neighbours)
    expect(await fleet.job(id)).toMatchObject({ state: 'completed', output: 'fine' });
  // The third time its own process went down, and the worker stayed.
  expect(restarts).toBe(2);
});

/** Starts a worker again whenever it dies. Returns how often it had to. */
async function keepWorkerUntilEnded(fleet: Fleet, ids: readonly string[]): Promise<number> {
  const ended = Promise.all(ids.map((id) => fleet.until(id))).then(() => 'ended' as const);
  for (let restarts = 0; ; restarts += 1) {
    await using worker = await startFile('test/support/poison-worker.ts', {
      DATABASE_URL: asRole(fleet.testDatabase.url, 'worker'),
      AMQP_URL: asUser(fleet.vhost.url, 'worker'),
      WORKER_QUEUES: 'default:1:10',
    });
    if ((await Promise.race([ended, worker.exited])) === 'ended') return restarts;
  }
}
