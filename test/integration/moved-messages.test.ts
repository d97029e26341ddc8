// The message of a job that was moved to another queue, or deleted: it starts that job no more, and it is a permit of its queue as any.
import { expect, test } from 'vitest';
import { createControl } from '../../src/queue/control.ts';
import { byId, deleteJobs } from '../../src/shared/postgres/statements/acts.ts';
import { editJobs } from '../../src/shared/postgres/statements/edit.ts';
import { texts } from '../../src/shared/postgres/statements/parts.ts';
import { claimByPermits } from '../../src/shared/postgres/statements/permits.ts';
import { readyCount } from '../support/broker.ts';
import { listen } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import { startFleet, testJob } from '../support/fleet.ts';
import { testApp } from '../support/test-app.ts';

test('a job that is moved runs once, by the message in its new queue; the one in the old queue starts nothing', async () => {
  const runs: string[] = [];
  const job = testJob(async (_args, { jobId }) => void runs.push(jobId));
  await using fleet = await startFleet(job);
  const { database, events } = fleet;
  const control = createControl({ database, events, app: testApp([job]), outbox: fleet.enqueuer });
  const id = await fleet.enqueue({}, { queue: 'reports' });
  await eventually(
    () => readyCount(fleet.vhost, 'warren.reports'),
    (count) => count === 1,
  );
  using suppressed = listen(events, 'delivery.suppressed');
  await control.move(id, 'critical');
  await fleet.startWorker({ WORKER_QUEUES: 'reports:1:1' });
  await suppressed.first(({ jobId, reason }) => jobId === id && reason === 'other-queue');
  expect(await fleet.job(id)).toMatchObject({ queue: 'critical', state: 'available', attempt: 0 });
  await fleet.startWorker({ WORKER_QUEUES: 'critical:1:1' });
  await fleet.until(id, 'completed');
  expect(runs).toEqual([id]);
});

test.each(['moved', 'deleted'])(
  'the message of a job that was %s starts the job whose permit was spent on it',
  async (act) => {
    await using fleet = await startFleet(testJob(async () => {}));
    const overtaken = await fleet.enqueue({}, { queue: 'reports', delayMs: 60_000 });
    const urgent = await fleet.enqueue({}, { queue: 'reports', delayMs: 60_000 });
    await fleet.sql(
      (sql) =>
        sql`update warren.jobs set state = 'available', published_at = now(), owed_fence = fence where id = ${overtaken}`,
    );
    await fleet.database.query(async (sql) =>
      act === 'moved'
        ? await editJobs(sql, byId(sql, urgent), { queue: 'critical' })
        : await deleteJobs(sql, byId(sql, urgent)),
    );
    const claims = await fleet.database.query((sql) =>
      claimByPermits(sql, [{ id: urgent, isHeld: false }], {
        owner: '1',
        claimNumber: 1,
        queue: 'reports',
        types: texts(['test-job']),
        maxArgsBytes: 1_000,
        except: [],
      }),
    );
    expect(claims.map(({ id }) => id)).toEqual([overtaken]);
  },
);
