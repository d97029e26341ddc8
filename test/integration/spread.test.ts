import { expect, test } from 'vitest';
import { startFleet, testJob } from '../support/fleet.ts';

const WORKERS = 4;
const JOBS = 40;

test('jobs that come one at a time go to the workers by turns, however many channels each has', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  for (let n = 0; n < WORKERS; n += 1) await fleet.startWorker({ WORKER_QUEUES: 'default:5:20' });
  const owners: string[] = [];
  for (let n = 0; n < JOBS; n += 1) {
    const id = await fleet.enqueue();
    await fleet.until(id);
    const [job] = await fleet.database.query(
      async (sql) => await sql<{ owner: string }[]>`select owner from warren.jobs where id = ${id}`,
    );
    owners.push(job?.owner ?? '');
  }
  const counts = [...Map.groupBy(owners, (owner) => owner).values()].map(({ length }) => length);
  expect(counts).toHaveLength(WORKERS);
  const inARow = owners.filter((owner, n) => owner === owners[n + 1]);
  expect(inARow.length).toBeLessThan(JOBS / 4);
});
