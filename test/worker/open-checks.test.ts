// /readyz of a worker is open to everybody: it says what is away, and nothing about where it is or who asks for it.

import { expect, test } from 'vitest';
import { Events } from '../../src/shared/observe/events.ts';
import { readConfig } from '../../src/shared/settings/config.ts';
import { Worker } from '../../src/worker/worker.ts';
import { app } from '../support/shop.ts';

test('the checks of a worker whose servers are away name no host, user or password', async () => {
  const config = readConfig('worker', app, {
    DATABASE_URL: 'postgres://secret-user:secret-password@127.0.0.1:1/secret-database',
    AMQP_URL: 'amqp://secret-user:secret-password@127.0.0.1:1/secret-vhost',
  });
  const worker = new Worker({ config, name: 'warren-worker@test:1', app, events: new Events() });
  worker.database.start();
  const checks = await worker.checks();
  await worker.stop();
  expect(checks).toMatchObject({
    postgres: { ok: false, detail: 'no answer within 1000 ms' },
    rabbitmq: { ok: false, detail: 'no connection' },
    consumers: { ok: false, detail: '0 of 20' },
  });
  expect(JSON.stringify(checks)).not.toMatch(/secret|127\.0\.0\.1/);
});
