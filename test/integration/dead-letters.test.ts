import { afterAll, beforeAll, expect, test } from 'vitest';
import { insertJobs } from '../../src/shared/postgres/statements/insert.ts';
import type { Worker } from '../../src/worker/worker.ts';
import type { Letter } from '../support/broker.ts';
import { publishRaw, readyCount, takeDeadLetters } from '../support/broker.ts';
import { listen } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';

let fleet: Fleet;
let worker: Worker;

beforeAll(async () => {
  fleet = await startFleet(testJob(async () => 'done'));
  worker = await fleet.startWorker({ WORKER_QUEUES: 'default:1:10' });
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

/** The letters, when so many have come. One more would be seen by the next test, which begins with none. */
async function lettersOf(count: number): Promise<Letter[]> {
  const letters: Letter[] = [];
  await eventually(
    async () => letters.push(...(await takeDeadLetters(fleet.vhost))),
    (length) => length >= count,
  );
  return letters.toSorted((a, b) => a.body.localeCompare(b.body));
}

async function expectConsumerLives(): Promise<void> {
  expect(await fleet.until(await fleet.enqueue())).toMatchObject({ state: 'completed', attempt: 1 });
}

test('a body that is no job id goes to warren.dead, once, with the reason, and the consumer lives on', async () => {
  const bodies = [
    '',
    '0',
    '-1',
    '1e3',
    '9223372036854775808',
    '__proto__',
    '{"id":1}',
    'x'.repeat(1_048_576),
  ];
  for (const body of bodies) await publishRaw(fleet.vhost, 'default', body);
  await expectConsumerLives();
  const reason = 'undecodable: the body is no list of job ids';
  expect(await lettersOf(bodies.length)).toEqual(
    bodies
      .toSorted((a, b) => a.localeCompare(b))
      .map((body) => ({ id: expect.any(String), body, reason, queue: 'default' })),
  );
});

test('the id of no job goes to warren.dead with the reason', async () => {
  await publishRaw(fleet.vhost, 'default', '9223372036854775807');
  await expectConsumerLives();
  expect(await lettersOf(1)).toEqual([
    {
      id: '9223372036854775807',
      body: '9223372036854775807',
      reason: 'unknown_job: there is no job 9223372036854775807',
      queue: 'default',
    },
  ]);
});

test('the message of a job that nobody alive knows is acknowledged, and the job waits, uncharged', async () => {
  using deliveries = listen(fleet.events, 'delivery.suppressed');
  const [row] = await fleet.database.query((sql) =>
    insertJobs(sql, [{ type: 'no-such-type', queue: 'default', args: {}, maxAttempts: 3 }]),
  );
  const id = row?.id ?? '';
  await fleet.enqueuer.publish([{ id, type: 'no-such-type', queue: 'default', fence: 0 }]);
  await deliveries.first(({ jobId, reason }) => jobId === id && reason === 'foreign');
  await expectConsumerLives();
  expect(await fleet.job(id)).toMatchObject({ state: 'available', attempt: 0, errors: [] });
});

test('when the worker has stopped, nothing is left in the queue or came twice to warren.dead', async () => {
  await fleet.stopWorker(worker);
  expect(await readyCount(fleet.vhost, 'warren.default')).toBe(0);
  expect(await takeDeadLetters(fleet.vhost)).toEqual([]);
});
