import { expect, test } from 'vitest';
import { insertJobs } from '../../src/shared/postgres/statements/insert.ts';
import { publishRaw, readyCount, takeDeadLetters } from '../support/broker.ts';
import { listen } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import { startFleet, testJob } from '../support/fleet.ts';

const UNKNOWN = 2_000;
const FIRST = 9_000_000_000_000_000_000n;
const MAX_MS = 90_000;

test('a job behind 2 000 messages of unknown jobs does not wait for them, and each of them becomes a dead letter', {
  timeout: 2 * MAX_MS,
}, async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const bodies = Array.from({ length: UNKNOWN }, (_, n) => String(FIRST + BigInt(n)));
  await publishRaw(fleet.vhost, 'default', ...bodies);
  await eventually(
    () => readyCount(fleet.vhost, 'warren.default'),
    (count) => count === UNKNOWN,
    { timeoutMs: MAX_MS },
  );
  const id = await fleet.enqueue();
  using dead = listen(fleet.events, 'delivery.dead-lettered');
  using finished = listen(fleet.events, 'attempt.finished');
  let deadBefore: number | undefined;
  const ran = finished.first().then(() => {
    deadBefore = dead.all.length;
  });
  await fleet.startWorker({ WORKER_QUEUES: 'default:1:100' });
  expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1 });
  await ran;
  expect(deadBefore).toBeLessThan(UNKNOWN / 2); // it has overtaken them
  const letters: { body: string; reason: unknown }[] = [];
  await eventually(
    async () => letters.push(...(await takeDeadLetters(fleet.vhost))),
    (count) => count >= UNKNOWN,
    { timeoutMs: MAX_MS },
  );
  expect(letters.map(({ body }) => body).sort()).toEqual(bodies);
  for (const { body, reason } of letters) expect(reason).toBe(`unknown_job: there is no job ${body}`);
});

test('a worker that stops puts the messages of unknown jobs into the dead letters first', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const worker = await fleet.startWorker();
  using received = listen(fleet.events, 'delivery.received');
  await fleet.publisher.publish({ id: String(FIRST), type: 'test-job', queue: 'default' });
  await received.first();
  await fleet.stopWorker(worker);
  expect((await takeDeadLetters(fleet.vhost)).map(({ body }) => body)).toEqual([String(FIRST)]);
});

test('a row whose message came before it is published again, though it was marked meanwhile', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  await fleet.startWorker();
  using received = listen(fleet.events, 'delivery.received');
  const id = await fleet.sql((sql) =>
    sql.begin(async (transaction) => {
      const job = { type: 'test-job', queue: 'default', args: {}, maxAttempts: 1 };
      const [inserted] = await insertJobs(transaction, [job]);
      const { id = '0' } = inserted ?? {};
      await fleet.publisher.publish({ id, type: 'test-job', queue: 'default' });
      await received.first();
      await transaction`update warren.jobs set published_at = now() where id = ${id}`;
      return id;
    }),
  );
  expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1 });
});
