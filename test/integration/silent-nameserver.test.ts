// A nameserver that never answers costs nobody anything but the jobs whose names it knows.
import { expect, test } from 'vitest';
import { deliverWebhook } from '../../src/jobs/deliver-webhook.ts';
import type { JobDefinition } from '../../src/shared/job/job.ts';
import { startEndpoint } from '../jobs/webhook/endpoint.ts';
import { listen } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import { startFleet } from '../support/fleet.ts';
import { startNameserver } from '../support/nameserver.ts';

const DEAD = 60;

test('sixty webhooks to dead names: good ones are delivered, Postgres is reconnected by name, and the worker stops normally', async () => {
  await using nameserver = await startNameserver({ isSilent: () => true });
  await using endpoint = await startEndpoint((response) => response.end());
  await using fleet = await startFleet(
    deliverWebhook as JobDefinition as JobDefinition<Record<string, unknown>>,
  );
  const byName = new URL(fleet.testDatabase.url);
  byName.hostname = 'localhost'; // its connections need a thread of the pool
  const worker = await fleet.startWorker({
    DATABASE_URL: byName.href,
    WORKER_QUEUES: 'webhooks:5:20',
    WEBHOOK_ALLOW_PRIVATE: 'true',
    WEBHOOK_NAMESERVERS: nameserver.address,
  });
  const dead = await Promise.all(
    Array.from({ length: DEAD }, (_, n) =>
      fleet.enqueue({ url: `http://dead-${n}.example/` }, { maxAttempts: 1 }),
    ),
  );
  await nameserver.asked(DEAD);

  using held = listen(fleet.events, 'presence.held');
  await fleet.sql(
    (sql) => sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and application_name like 'warren-worker@test:1%'`,
  );
  await held.first();
  const good = await Promise.all(
    Array.from({ length: 20 }, () => fleet.enqueue({ url: `http://localhost:${endpoint.port}/` })),
  );
  for (const id of good) expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1 });

  await fleet.stopWorker(worker);
  const ends = await eventually(
    () => Promise.all(dead.map((id) => fleet.job(id))),
    (jobs) => jobs.every(({ state }) => state === 'discarded'),
  );
  for (const { errors } of ends)
    expect(errors).toEqual([
      expect.objectContaining({ message: expect.stringContaining('cannot be resolved: ETIMEOUT') }),
    ]);
});
