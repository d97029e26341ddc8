import { expect, test } from 'vitest';
import type { Database } from '../../src/shared/postgres/database.ts';
import { claimJobs } from '../../src/shared/postgres/jobs.ts';
import { StartMarks } from '../../src/worker/start-marks.ts';
import { eventually } from '../support/eventually.ts';
import type { Fleet } from '../support/fleet.ts';
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

const OWNER = '900001';

async function startedBatch(fleet: Fleet): Promise<number> {
  const [row] = await fleet.sql(
    (sql) =>
      sql<{ batch: number }[]>`select started_batch as batch from warren.workers where owner = ${OWNER}`,
  );
  return row?.batch ?? -1;
}

/** The marks of a worker that runs something all the time. `query` stands before its database. */
async function startMarks(
  fleet: Fleet,
  query: Database['query'] = (statement) => fleet.database.query(statement),
) {
  await fleet.sql((sql) => sql`insert into warren.workers (owner, name) values (${OWNER}, 'test')`);
  const database = { query } as Database;
  const marks = new StartMarks({ database, owner: () => OWNER, isRunning: () => true });
  return async (id: string, isHeard = true) =>
    await marks.claimed(async (claimant) => {
      await fleet.database.query((sql) => claimJobs(sql, [id], claimant));
      if (!isHeard) throw new Error('the answer was lost');
    });
}

test('a claim whose answer was lost holds the mark back: it may have been made, and nothing has started', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const claim = await startMarks(fleet);
  await claim(await fleet.enqueue());
  await eventually(
    () => startedBatch(fleet),
    (batch) => batch === 1,
  );
  await expect(claim(await fleet.enqueue(), false)).rejects.toThrow('lost');
  await claim(await fleet.enqueue());
  const marked = await fleet.enqueue({}, { delayMs: 300 }); // time for a mark that must not come
  await fleet.startWorker();
  await fleet.until(marked);
  expect(await startedBatch(fleet)).toBe(1);
});

test('a mark that failed is made again, though nothing more is claimed', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  let failures = 1;
  const claim = await startMarks(fleet, async (statement) => {
    failures -= 1;
    if (failures >= 0) throw new Error('Postgres is away');
    return await fleet.database.query(statement);
  });
  await claim(await fleet.enqueue());
  await eventually(
    () => startedBatch(fleet),
    (batch) => batch === 1,
  );
});
