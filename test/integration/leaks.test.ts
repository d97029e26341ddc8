import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { startFleet, testJob } from '../support/fleet.ts';

/** The open sockets and timers of this process that keep it alive. */
function resources(): Record<string, number> {
  const names = process.getActiveResourcesInfo();
  const count = (wanted: string) => names.filter((name) => name === wanted).length;
  return { sockets: count('TCPSocketWrap'), timers: count('Timeout') };
}

test('a fleet that has stopped leaves no connection, no lock, no socket and no timer behind', async () => {
  const before = resources();
  await using fleet = await startFleet(testJob(async () => {}));
  const workers = [await fleet.startWorker({ WORKER_QUEUES: '' }), await fleet.startWorker()];
  const ids = await Promise.all(Array.from({ length: 100 }, () => fleet.enqueue()));
  for (const id of ids) await fleet.until(id);
  expect(resources()['sockets']).toBeGreaterThan(before['sockets'] ?? 0);
  for (const worker of workers) await fleet.stopWorker(worker);
  await fleet.stop();
  // The sessions in Postgres are looked at whenever a fleet is disposed of.
  await eventually(
    () => fleet.vhost.management.connections(),
    (connections) => connections.length === 0,
  );
  await eventually(
    resources,
    ({ sockets = 0, timers = 0 }) =>
      sockets <= (before['sockets'] ?? 0) && timers <= (before['timers'] ?? 0) + 1, // and the wait's own
  );
  await eventually(
    () =>
      fleet.sql(
        (sql) => sql`
          select 1 from pg_locks join pg_database on pg_database.oid = pg_locks.database
          where locktype = 'advisory' and datname = current_database()`,
      ),
    (locks) => locks.length === 0,
  );
});
