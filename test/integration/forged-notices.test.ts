// A role that may connect to the database and nothing else can still `notify`.
import { once } from 'node:events';
import postgres from 'postgres';
import { expect, test } from 'vitest';
import { cancelJob } from '../../src/shared/postgres/statements/control.ts';
import { startFleet, testJob } from '../support/fleet.ts';
import { createRole } from '../support/roles.ts';

test('a forged notice cancels nothing; a real one after it does', async () => {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const running = new Map<string, PromiseWithResolvers<void>>();
  await using outsider = await createRole();
  await using fleet = await startFleet(
    testJob(async ({ name }, { signal }) => {
      running.get(String(name))?.resolve();
      await Promise.race([released, once(signal, 'abort')]);
      signal.throwIfAborted();
    }),
  );
  await fleet.startWorker();
  const start = async (name: string) => {
    const started = Promise.withResolvers<void>();
    running.set(name, started);
    const id = await fleet.enqueue({ name });
    await started.promise;
    return id;
  };
  const innocent = await start('innocent');
  const cancelled = await start('cancelled');
  const sql = postgres(await outsider.connectTo(fleet.testDatabase.url), { max: 1 });
  try {
    await expect(sql`select 1 from warren.jobs`).rejects.toThrow('permission denied');
    for (const payload of ['cancel:x', 'nonsense', '']) await sql`select pg_notify('warren', ${payload})`;
    await sql`select pg_notify('warren', what) from unnest(array['due', 'queues', 'leader']) as what`;
    await sql`select pg_notify('warren', 'cancel:' || ${innocent}::text || repeat('0', n % 2))
      from generate_series(0, 9999) as n`;
    await sql`select pg_notify('warren', 'cancel:' || ${innocent}::text)`;
  } finally {
    await sql.end();
  }
  // Notices come in order: once this one is acted on, so are those before it.
  await fleet.database.query((client) => cancelJob(client, cancelled));
  expect(await fleet.until(cancelled)).toMatchObject({ state: 'cancelled' });
  release();
  expect(await fleet.until(innocent)).toMatchObject({ state: 'completed', attempt: 1 });
});
