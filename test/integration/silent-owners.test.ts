import { expect, test } from 'vitest';
import { findSilentOwners } from '../../src/shared/postgres/statements/maintenance.ts';
import { ADVISORY_CLASS } from '../../src/shared/postgres/statements/parts.ts';
import { lookAtOwner } from '../../src/shared/postgres/statements/takeover.ts';
import { startFleet, testJob } from '../support/fleet.ts';

test('a worker that holds its lock but has not beaten for a minute has lost its jobs, though not to a message', async () => {
  const release = Promise.withResolvers<void>();
  await using fleet = await startFleet(testJob(() => release.promise));
  await fleet.startWorker();
  const id = await fleet.enqueue();
  await fleet.until(id, 'running');
  const dead = () => fleet.database.query(findSilentOwners);
  expect(await dead()).toEqual([]);
  const [own] = await fleet.sql((sql) => sql<{ owner: string }[]>`select owner from warren.jobs`);
  const look = (owner: string) => fleet.database.query((sql) => lookAtOwner(sql, owner));
  expect(await look(own?.owner ?? '')).toEqual({
    isLockFree: false,
    hasSessions: true,
    name: 'warren-worker@test:1',
  });

  // The worker beats, but another number is written on its job: one that is locked and silent.
  await fleet.sql(async (frozen) => {
    await frozen`select pg_advisory_lock(${ADVISORY_CLASS}::int, 4711)`;
    await fleet.sql((sql) =>
      sql.begin(async (instant) => {
        // In a transaction it is always the same time.
        await instant`insert into warren.workers (owner, name, beat_at) values (4711, 'frozen', now() - interval '60 seconds')`;
        await instant`update warren.jobs set owner = 4711`;
        expect(await findSilentOwners(instant)).toEqual([]);
        await instant`update warren.workers set beat_at = beat_at - interval '1 ms' where owner = 4711`;
        expect(await findSilentOwners(instant)).toEqual([
          { owner: '4711', name: 'frozen', isLockFree: false },
        ]);
      }),
    );
    expect(await look('4711')).toEqual({ isLockFree: false, hasSessions: false, name: 'frozen' });
  });
  release.resolve();
});
