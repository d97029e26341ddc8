import { expect, test } from 'vitest';
import { startFleetWith } from '../support/fleet.ts';
import { isolatedJobs, module } from '../support/isolated-jobs.ts';
import { startProgram } from '../support/program.ts';
import { asRole, asUser } from '../support/servers.ts';

test('a worker that has done so many jobs drains, is not ready meanwhile, and exits with 0; nothing is charged', async () => {
  await using fleet = await startFleetWith({ module }, ...isolatedJobs);
  await fleet.sql((sql) => sql`create table public.released (id int)`);
  await fleet.sql((sql) => sql`grant select on public.released to public`);
  const held = await fleet.enqueue({ does: 'hold' }, { type: 'neighbour' });
  const ids = await Promise.all(
    Array.from({ length: 60 }, () => fleet.enqueue({ does: 'tell' }, { type: 'neighbour' })),
  );
  const environment = {
    DATABASE_URL: asRole(fleet.testDatabase.url, 'worker'),
    AMQP_URL: asUser(fleet.vhost.url, 'worker'),
    WARREN_APP: module,
    WORKER_HEALTH_PORT: '0',
    WORKER_QUEUES: 'default:1:5',
  };
  await using worker = await startProgram('worker', { ...environment, WORKER_RENEW_AFTER_JOBS: '20' });
  const renewing = await worker.waitForLog(({ msg = '' }) => msg.startsWith('the worker renews itself'), {
    timeoutMs: 60_000,
  });
  expect(renewing).toMatchObject({ reason: 'jobs', jobs: renewing['limit'] });
  await worker.waitForLog(({ msg }) => msg === 'stopping', { timeoutMs: 60_000 });
  const started = await worker.waitForLog(({ msg }) => msg === 'worker started');
  const ready = await fetch(`http://127.0.0.1:${started['healthPort']}/readyz`);
  expect(ready.status).toBe(503);
  expect(await ready.json()).toMatchObject({ checks: { accepting: { ok: false } } });

  await fleet.sql((sql) => sql`insert into public.released values (1)`);
  expect(await worker.exited).toEqual({ code: 0, signal: null });
  expect(await fleet.job(held)).toMatchObject({ state: 'completed', attempt: 1, output: 'let go' });
  const jobs = await Promise.all(ids.map((id) => fleet.job(id)));
  const completed = jobs.filter(({ state }) => state === 'completed');
  expect(completed.length).toBeGreaterThanOrEqual(15);
  expect(completed.length).toBeLessThan(ids.length);
  for (const { state, attempt } of jobs)
    expect({ state, attempt }).toEqual(
      state === 'completed' ? { state, attempt: 1 } : { state: 'available', attempt: 0 },
    );

  await using next = await startProgram('worker', environment);
  for (const id of ids) expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1 });
  next.signal('SIGTERM');
  expect(await next.exited).toEqual({ code: 0, signal: null });
});
