import { expect, test } from 'vitest';
import { pauseType, resumeType } from '../../src/shared/postgres/statements/paused-types.ts';
import { countUnpublished } from '../../src/shared/postgres/statements/read.ts';
import { startApi } from '../support/api.ts';
import { listen } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';
import { createDatabase } from '../support/servers.ts';

const fleetOfTwoTypes = async () => {
  const runs: string[] = [];
  const jobs = ['paused-job', 'other-job'].map((type) => testJob(async () => void runs.push(type), { type }));
  return { fleet: await startFleet(...jobs), runs };
};
const pause = (fleet: Fleet) => fleet.database.query((sql) => pauseType(sql, 'paused-job'));
const resume = (fleet: Fleet) => fleet.database.query((sql) => resumeType(sql, 'paused-job'));
const relayPasses = async (fleet: Fleet, times: number) => {
  for (let pass = 0; pass < times; pass += 1) {
    // the relay sends what waits with it: a job that lacks its message shows that it has looked
    const probe = await fleet.sql(
      (sql) => sql<{ id: string }[]>`
        insert into warren.jobs (type, queue, args, max_attempts, state) values ('other-job', 'default', '{}', 1, 'available')
        returning id::text as id`,
    );
    await fleet.until(probe[0]?.id ?? '', 'completed');
  }
};

test('a paused type starts nothing and its messages do not go round, while the other types of the queue go on; resumed, each job runs once', async () => {
  const { fleet, runs } = await fleetOfTwoTypes();
  await using _ = fleet;
  await fleet.startWorker();
  expect(await pause(fleet)).toBe(true);
  using delivered = listen(fleet.events, 'delivery.received');
  const ids = await Promise.all(Array.from({ length: 20 }, () => fleet.enqueue({}, { type: 'paused-job' })));
  const others = await Promise.all(
    Array.from({ length: 20 }, () => fleet.enqueue({}, { type: 'other-job' })),
  );
  for (const id of others) await fleet.until(id, 'completed');
  const spent = () =>
    fleet.sql(async (sql) => {
      const rows =
        await sql`select from warren.jobs where type = 'paused-job' and state = 'available' and published_at is null`;
      return rows.length;
    });
  await eventually(spent, (count) => count === 20);
  await fleet.sql(
    (sql) => sql`update warren.jobs set relay_at = now() - interval '10 s' where type = 'paused-job'`,
  );
  const before = delivered.all.length;
  await relayPasses(fleet, 3);
  expect(delivered.all.length - before).toBe(3); // the probes alone
  expect(await fleet.database.query(countUnpublished)).toBe(0);
  expect(runs).not.toContain('paused-job');

  expect(await resume(fleet)).toBe(true);
  for (const id of ids) expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1 });
  expect(runs.filter((type) => type === 'paused-job')).toHaveLength(20);
});

test('without a broker a paused type is passed over', async () => {
  const { fleet, runs } = await fleetOfTwoTypes();
  await using _ = fleet;
  await fleet.startWorker({ AMQP_URL: 'none' });
  expect(await pause(fleet)).toBe(true);
  const id = await fleet.enqueue({}, { type: 'paused-job' });
  await fleet.until(await fleet.enqueue({}, { type: 'other-job' }), 'completed');
  expect(runs).toEqual(['other-job']);
  await resume(fleet);
  expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1 });
});

test('types are listed, paused and resumed by their names', async () => {
  await using database = await createDatabase();
  await using api = await startApi({ databaseUrl: database.url });
  const shown = async () => {
    const { status, body } = await api.get('/v1/types');
    expect(status).toBe(200);
    return body.types.find(({ type }: { type: string }) => type === 'build-report');
  };
  expect(await shown()).toEqual({ type: 'build-report', queue: 'reports', paused: false });
  for (const [action, paused] of [
    ['pause', true],
    ['pause', true],
    ['resume', false],
    ['resume', false],
  ] as const) {
    const answer = await api.post(`/v1/types/build-report/${action}`);
    expect(answer).toMatchObject({ status: 200, body: { type: 'build-report', paused } });
    expect(await shown()).toMatchObject({ paused });
  }
  expect((await api.post('/v1/types/nope/pause')).status).toBe(404);
  expect((await api.post('/v1/types/nope/resume')).status).toBe(404);
});
