// What becomes of claims that a crash of Postgres has undone, by what has happened to the job since.
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { byId, retryJobs } from '../../src/shared/postgres/statements/acts.ts';
import { claimJobs } from '../../src/shared/postgres/statements/claim.ts';
import { claimNextJobs } from '../../src/shared/postgres/statements/claim-next.ts';
import { cancelJob } from '../../src/shared/postgres/statements/control.ts';
import {
  findSilentOwners,
  unpublishOvertakenJobs,
  unpublishUndeliveredJobs,
} from '../../src/shared/postgres/statements/maintenance.ts';
import { spendMessages } from '../../src/shared/postgres/statements/publish.ts';
import { recordOutcomes } from '../../src/shared/postgres/statements/record.ts';
import { restoreClaims } from '../../src/shared/postgres/statements/restore.ts';
import { lookAtOwner } from '../../src/shared/postgres/statements/takeover.ts';
import { waitingIds } from '../support/broker.ts';
import { listen } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';
import { endSessions, undoClaims } from '../support/undo-claims.ts';

/** Jobs whose handlers run until `release`; `runs` has the ids of those that have started, `reasons` why some were aborted. */
async function startHeldFleet() {
  const released = Promise.withResolvers<void>();
  const runs: string[] = [];
  const reasons: unknown[] = [];
  const fleet = await startFleet(
    testJob(async (_args, { jobId, signal }) => {
      runs.push(jobId);
      const aborted = once(signal, 'abort').then(() => {
        reasons.push(signal.reason);
        signal.throwIfAborted();
      });
      await Promise.race([released.promise, aborted]);
    }),
  );
  return { fleet, runs, reasons, release: released.resolve };
}

const row = async (fleet: Fleet, id: string) => {
  const [found] = await fleet.sql(
    (sql) => sql`select state, fence, attempt, owner, claim_batch from warren.jobs where id = ${id}`,
  );
  return found;
};
/** Closes claims as a crash does, and keeps the workers from opening them again. */
const closeClaims = async (fleet: Fleet) => {
  await fleet.sql((sql) => sql`delete from warren.claims_open`);
  await fleet.sql((sql) =>
    sql.unsafe(`
      create function public.keep_closed() returns trigger language plpgsql as 'begin return null; end';
      create trigger keep_closed before insert on warren.claims_open for each row execute function public.keep_closed()`),
  );
};
const areClaimsOpen = async (fleet: Fleet) =>
  (await fleet.sql((sql) => sql`select from warren.claims_open`)).length === 1;

test('a claim that was undone is restored under its own fence while its handler runs, and nobody starts the job again', async () => {
  const { fleet, runs, reasons, release } = await startHeldFleet();
  await using _ = fleet;
  await fleet.startWorker();
  const ids = await Promise.all([1, 2, 3].map(() => fleet.enqueue()));
  for (const id of ids) await eventually(() => runs.includes(id), Boolean);
  const [before, kept] = [await row(fleet, ids[0] ?? ''), await row(fleet, ids[2] ?? '')];
  using restored = listen(fleet.events, 'claims.restored');
  await undoClaims(fleet, ids.slice(0, 2));
  await endSessions(fleet);
  expect(await restored.first()).toEqual({ count: 2 });
  expect(await row(fleet, ids[0] ?? '')).toEqual(before);
  expect(await row(fleet, ids[2] ?? '')).toEqual(kept);
  await fleet.startWorker(); // is at them as soon as it may
  await eventually(() => areClaimsOpen(fleet), Boolean);
  release();
  for (const id of ids)
    expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1, errors: [] });
  expect(runs.toSorted()).toEqual(ids.toSorted());
  expect(reasons).toEqual([]);
});

test('an outcome whose claim was undone is recorded, though the worker knows of no crash yet', async () => {
  const { fleet, runs, release } = await startHeldFleet();
  await using _ = fleet;
  await fleet.startWorker();
  using fenced = listen(fleet.events, 'attempt.fenced');
  const id = await fleet.enqueue();
  await eventually(() => runs.length === 1, Boolean);
  await undoClaims(fleet, [id]);
  release();
  expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1 });
  expect(await row(fleet, id)).toMatchObject({ fence: 1 });
  expect(fenced.all).toEqual([]);
});

test('a job that was cancelled after its claim was undone stays cancelled, and its handler is aborted', async () => {
  const { fleet, runs, reasons } = await startHeldFleet();
  await using _ = fleet;
  await fleet.startWorker();
  using fenced = listen(fleet.events, 'attempt.fenced');
  const id = await fleet.enqueue();
  await eventually(() => runs.length === 1, Boolean);
  await undoClaims(fleet, [id]);
  expect(await fleet.database.query((sql) => cancelJob(sql, id))).toBe('cancelled');
  await endSessions(fleet);
  await fenced.first(({ jobId }) => jobId === id);
  expect(reasons).toEqual(['lost']);
  expect(await fleet.job(id)).toMatchObject({ state: 'cancelled', attempt: 0 });
});

test('a job that was cancelled and retried after its claim was undone starts anew, and its first handler is aborted', async () => {
  const { fleet, runs, reasons, release } = await startHeldFleet();
  await using _ = fleet;
  await fleet.startWorker();
  using fenced = listen(fleet.events, 'attempt.fenced');
  const id = await fleet.enqueue();
  await eventually(() => runs.length === 1, Boolean);
  await undoClaims(fleet, [id]);
  await fleet.database.query((sql) => cancelJob(sql, id));
  expect(await fleet.database.query((sql) => retryJobs(sql, byId(sql, id)))).toMatchObject([{ fence: 1 }]);
  await endSessions(fleet);
  await fenced.first(({ jobId }) => jobId === id);
  expect(reasons).toEqual(['lost']);
  release();
  expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1 });
  expect(await row(fleet, id)).toMatchObject({ fence: 2 });
  expect(runs).toEqual([id, id]);
});

test('the worker that comes too late finds its job with another, under the same fence: its handler is aborted and its outcome refused', async () => {
  const { fleet, runs, reasons } = await startHeldFleet();
  await using _ = fleet;
  await fleet.startWorker();
  using fenced = listen(fleet.events, 'attempt.fenced');
  const id = await fleet.enqueue();
  await eventually(() => runs.length === 1, Boolean);
  await undoClaims(fleet, [id]);
  await fleet.sql((sql) => sql`insert into warren.claims_open default values`);
  const claimant = { owner: '4711', claimNumber: 1, types: '{test-job}' };
  const [claim] = await fleet.database.query((sql) => claimJobs(sql, [id], claimant));
  expect(claim?.fence).toBe(1);
  await endSessions(fleet);
  await fenced.first(({ jobId }) => jobId === id);
  expect(reasons).toEqual(['lost']);
  expect(await row(fleet, id)).toMatchObject({ state: 'running', fence: 1, owner: '4711' });
  const outcome = { id, fence: 1, act: 'complete' } as const;
  expect(await fleet.database.query((sql) => recordOutcomes(sql, [outcome], ['1', '2']))).toEqual(new Map());
  expect(await fleet.database.query((sql) => recordOutcomes(sql, [outcome], ['2', '4711']))).toEqual(
    new Map([[id, { state: 'completed', gates: null }]]),
  );
});

test('while claims are closed nothing is claimed, by message or without, and what waits runs when they are open again', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  await closeClaims(fleet);
  using retried = listen(fleet.events, 'write.retried');
  await fleet.startWorker();
  const id = await fleet.enqueue();
  await retried.first(({ error }) => (error as { code?: string }).code === 'claims_closed');
  const claims = await fleet.database.query((sql) =>
    claimNextJobs(sql, {
      wanted: [{ queue: 'default', slots: 5 }],
      except: [],
      budget: { smallBytes: 1_000, largeBytes: 1_000, largeAbove: 100, mostBytes: 1_000 },
      owner: '4711',
      claimNumber: 1,
      types: '{test-job}',
    }),
  );
  expect(claims).toEqual([]);
  expect(await row(fleet, id)).toMatchObject({ state: 'available', fence: 0 });
  await fleet.sql((sql) => sql`drop trigger keep_closed on warren.claims_open`);
  expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1 });
  expect(await areClaimsOpen(fleet)).toBe(true);
});

test('a worker that drains while claims are closed gives back at once what it could not claim', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  await closeClaims(fleet);
  using retried = listen(fleet.events, 'write.retried');
  const worker = await fleet.startWorker({ DRAIN_TIMEOUT_MS: '600000' });
  const id = await fleet.enqueue();
  await retried.first(({ error }) => (error as { code?: string }).code === 'claims_closed');
  await fleet.stopWorker(worker); // a hang here would last for ten minutes
  expect(await row(fleet, id)).toMatchObject({ state: 'available', fence: 0, attempt: 0 });
  await eventually(
    () => waitingIds(fleet.vhost, 'warren.default'),
    (ids) => ids.includes(id),
  );
});

test('while claims are closed no fence is raised and nobody is taken for dead', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const [waiting = '', running = ''] = [await fleet.enqueue(), await fleet.enqueue()];
  const claimant = { owner: '4711', claimNumber: 1, types: '{test-job}' };
  await fleet.database.query((sql) => claimJobs(sql, [running], claimant));
  await fleet.sql(
    (sql) => sql`
      update warren.jobs set published_at = now() - interval '1 day', run_at = now() - interval '1 day' where id = ${waiting}`,
  );
  await fleet.sql(
    (sql) => sql`
      insert into warren.workers (owner, name, delivered) values (1, 'a', jsonb_build_object('default', extract(epoch from now())))`,
  );
  const look = async () => ({
    overtaken: await fleet.database.query((sql) => unpublishOvertakenJobs(sql, 10)),
    undelivered: await fleet.database.query((sql) => unpublishUndeliveredJobs(sql, ['default'], 10)),
    silent: (await fleet.database.query(findSilentOwners)).length,
    isLockFree: (await fleet.database.query((sql) => lookAtOwner(sql, '4711'))).isLockFree,
  });
  await fleet.sql((sql) => sql`delete from warren.claims_open`);
  expect(await look()).toEqual({ overtaken: 0, undelivered: 0, silent: 0, isLockFree: false });
  await fleet.database.query((sql) => spendMessages(sql, [waiting]));
  expect(await row(fleet, waiting)).toMatchObject({ fence: 0 });
  await fleet.sql((sql) => sql`insert into warren.claims_open default values`);
  await fleet.sql(
    (sql) => sql`update warren.jobs set published_at = now() - interval '1 day' where id = ${waiting}`,
  );
  expect(await look()).toEqual({ overtaken: 1, undelivered: 0, silent: 1, isLockFree: true });
  await fleet.database.query((sql) => spendMessages(sql, [waiting]));
  expect(await row(fleet, waiting)).toMatchObject({ fence: 2 });
});

test('a claim does not wait for the disk, and nothing else on its connection does without', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const id = await fleet.enqueue();
  const claimant = { owner: '4711', claimNumber: 1, types: '{test-job}' };
  const setting = async (sql: Parameters<typeof claimJobs>[0]) =>
    (await sql<{ value: string }[]>`select current_setting('synchronous_commit') as value`)[0]?.value;
  await fleet.sql(async (sql) => {
    await sql.begin(async (transaction) => {
      expect(await claimJobs(transaction, [id], claimant)).toHaveLength(1);
      expect(await setting(transaction)).toBe('off');
    });
    expect(await setting(sql)).toBe('on');
    await sql.begin(async (transaction) => {
      const outcome = { id, fence: 1, act: 'complete' } as const;
      expect(await recordOutcomes(transaction, [outcome], ['4711'])).toHaveLength(1);
      expect(await setting(transaction)).toBe('on');
    });
  });
});

test('a claim that names an earlier number of its worker names the present one after the restoration', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const id = await fleet.enqueue();
  const claimant = { owner: '4711', claimNumber: 1, types: '{test-job}' };
  expect(await fleet.database.query((sql) => claimJobs(sql, [id], claimant))).toHaveLength(1);
  const restore = async (owners: readonly string[]) =>
    await fleet.database.query((sql) => restoreClaims(sql, [{ id, fence: 1, claimNumber: 1 }], owners));
  expect(await restore(['4712'])).toEqual([]); // another worker's
  expect(await row(fleet, id)).toMatchObject({ owner: '4711' });
  expect(await restore(['4711', '4712'])).toEqual([{ id, isRestored: false }]);
  expect(await row(fleet, id)).toMatchObject({ owner: '4712', fence: 1, state: 'running' });
});
