import { expect, test } from 'vitest';
import { claimJobs } from '../../src/shared/postgres/statements/claim.ts';
import { ADVISORY_CLASS } from '../../src/shared/postgres/statements/parts.ts';
import { takeOverJobs } from '../../src/shared/postgres/statements/takeover.ts';
import { markStarted } from '../../src/shared/postgres/statements/workers.ts';
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

async function startedUpTo(fleet: Fleet): Promise<number> {
  const [row] = await fleet.sql(
    (sql) =>
      sql<{ upTo: number }[]>`select started_batch as "upTo" from warren.workers where owner = ${OWNER}`,
  );
  return row?.upTo ?? -1;
}

/** Time for a mark that must not come. Nobody holds the lock of the claims' owner but this: the worker that tells the time does not give them back. */
async function timeForMark(fleet: Fleet): Promise<void> {
  await fleet.sql(async (holder) => {
    await holder`select pg_advisory_lock(${ADVISORY_CLASS}::int, ${OWNER}::int)`;
    const worker = await fleet.startWorker();
    await fleet.until(await fleet.enqueue({}, { delayMs: 300 }));
    await fleet.stopWorker(worker);
  });
}

/** The marks of a worker that runs something all the time. The first `failures` of them fail. */
async function startMarks(fleet: Fleet, failures = 0) {
  await fleet.sql((sql) => sql`insert into warren.workers (owner, name) values (${OWNER}, 'test')`);
  let tries = 0;
  const tell = async (claimNumber: number) => {
    tries += 1;
    if (tries <= failures) throw new Error('Postgres is away');
    await fleet.database.query((sql) => markStarted(sql, { owner: OWNER, claimNumber }));
  };
  const marks = new StartMarks({ tell, owner: () => OWNER, isRunning: () => true });
  return async (id: string, { isHeard = true, isStarted = true } = {}) => {
    const claims = await marks.claimed(
      async (claimant) => {
        const made = await fleet.database.query((sql) =>
          claimJobs(sql, [id], { ...claimant, types: '{test-job}' }),
        );
        if (!isHeard) throw new Error('the answer was lost');
        return made;
      },
      (made) => made,
    );
    const start = () => {
      for (const claim of claims) marks.started(claim);
    };
    if (isStarted) start();
    return start;
  };
}

test('whatever waits between a claim and its handler holds the mark back: killed there, the attempt is not charged', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const claim = await startMarks(fleet);
  const [waiting, killed, later] = [await fleet.enqueue(), await fleet.enqueue(), await fleet.enqueue()];
  const start = await claim(waiting, { isStarted: false });
  start();
  await eventually(
    () => startedUpTo(fleet),
    (batch) => batch === 1,
  );
  await claim(killed, { isStarted: false });
  await claim(later);
  await timeForMark(fleet);
  expect(await startedUpTo(fleet)).toBe(1);
  const taken = await fleet.database.query((sql) =>
    takeOverJobs(
      sql,
      [waiting, killed].map((id) => ({ id, owner: OWNER })),
      { owner: '900002', claimNumber: 1, types: '{test-job}' },
    ),
  );
  const attempts = new Map(taken.map(({ id, attempt }) => [id, attempt]));
  expect([attempts.get(waiting), attempts.get(killed)]).toEqual([2, 1]);
});

test('a claim whose answer was lost holds the mark back: it may have been made, and nothing has started', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const claim = await startMarks(fleet);
  await claim(await fleet.enqueue());
  await eventually(
    () => startedUpTo(fleet),
    (batch) => batch === 1,
  );
  await expect(claim(await fleet.enqueue(), { isHeard: false })).rejects.toThrow('lost');
  await claim(await fleet.enqueue());
  await timeForMark(fleet);
  expect(await startedUpTo(fleet)).toBe(1);
});

test('a mark that failed is made again, though nothing more is claimed', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const claim = await startMarks(fleet, 1);
  await claim(await fleet.enqueue());
  await eventually(
    () => startedUpTo(fleet),
    (batch) => batch === 1,
  );
});
