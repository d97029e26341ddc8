// What an expired job leaves to others: its message, its permit, and its places at gates.
import postgres from 'postgres';
import { expect, test } from 'vitest';
import { admitJobs } from '../../src/shared/postgres/statements/admit.ts';
import { expireJobs } from '../../src/shared/postgres/statements/expiry.ts';
import { claimByPermits } from '../../src/shared/postgres/statements/permits.ts';
import { listen } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';

const LATER = '2499-01-01T00:00:00.000Z';

const enqueue = (fleet: Fleet, options: object = {}) => fleet.enqueue({}, { expiresAt: LATER, ...options });

/** The time of these jobs is over from now on. */
async function expire(fleet: Fleet, ...ids: string[]): Promise<void> {
  await fleet.sql(
    (sql) => sql`
      update warren.jobs set expires_at = now() - interval '1 ms' where id = any(${ids}::text[]::bigint[])`,
  );
}

/** Keeps the leader from ending the job until it is disposed of; a claim by message would not be kept from it. */
async function keepWaiting(fleet: Fleet, id: string): Promise<AsyncDisposable> {
  const sql = postgres(fleet.testDatabase.url, { max: 1, onnotice: () => {} });
  await sql`begin`;
  await sql`select from warren.jobs where id = ${id} for key share`;
  return { [Symbol.asyncDispose]: () => sql.end() };
}

test('the message of an expired job is acknowledged, and no other one is sent', async () => {
  const started: string[] = [];
  await using fleet = await startFleet(testJob(async (_args, { jobId }) => void started.push(jobId)));
  using suppressed = listen(fleet.events, 'delivery.suppressed');
  const id = await enqueue(fleet);
  await eventually(
    () => fleet.sql((sql) => sql`select published_at from warren.jobs where id = ${id}`),
    ([row]) => row?.['published_at'] !== null,
  );
  await expire(fleet, id);
  {
    await using _ = await keepWaiting(fleet, id);
    await fleet.startWorker();
    await suppressed.first(({ jobId, reason }) => jobId === id && reason === 'expired');
    await fleet.until(await fleet.enqueue(), 'completed');
    const [row] = await fleet.sql(
      (sql) => sql`select state, fence, published_at from warren.jobs where id = ${id}`,
    );
    expect(row).toMatchObject({ state: 'available', fence: 0, published_at: expect.any(Date) });
  }
  expect(await fleet.until(id)).toMatchObject({ state: 'discarded', attempt: 0, startedAt: null });
  expect(suppressed.all.filter(({ jobId }) => jobId === id)).toHaveLength(1);
  expect(started).not.toContain(id);
});

test('the permit of an expired job starts one that is owed', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const [id, owed] = [await enqueue(fleet), await enqueue(fleet)];
  await fleet.sql(
    (sql) => sql`update warren.jobs set published_at = now(), owed_fence = fence where id = ${owed}`,
  );
  await expire(fleet, id);
  const claimant = { owner: '2000000000', claimNumber: 1, types: '{test-job}', queue: 'default' };
  const claims = await fleet.database.query((sql) =>
    claimByPermits(sql, [{ id, isHeld: false }], { ...claimant, maxArgsBytes: 1_000, except: [] }),
  );
  expect(claims).toMatchObject([{ id: owed }]);
});

test('an order goes on past an expired job, even where it stops at discarded ones', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const [turn, next] = [
    await enqueue(fleet, { orderingKey: 'a' }),
    await enqueue(fleet, { orderingKey: 'a' }),
  ];
  await fleet.until(turn, 'available');
  expect(await fleet.job(next)).toMatchObject({ state: 'held' });
  await fleet.sql(
    (sql) => sql`
      insert into warren.queues (name, on_discard) values ('default', 'stop')
      on conflict (name) do update set on_discard = 'stop'`,
  );
  await expire(fleet, turn);
  const [ended] = await fleet.database.query((sql) => expireJobs(sql, 10));
  expect(ended).toMatchObject({ id: turn, gates: ['order:default:a'] });
  const { jobs } = await fleet.database.query((sql) => admitJobs(sql, ended?.gates ?? []));
  expect(jobs).toMatchObject([{ id: next }]);
});
