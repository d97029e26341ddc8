// docs/grpc.md: its client, as printed, against the server of an application with a worker.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { runCommand } from '../../dev/command.ts';
import { defineApp, defineJob, Warren } from '../../src/index.ts';
import { createDocumentedProject } from '../support/documented-project.ts';
import { HANG_MS } from '../support/eventually.ts';
import { createDatabase } from '../support/servers.ts';

test('its client enqueues a job and watches it to the end', async () => {
  await using database = await createDatabase();
  const processOrder = defineJob({
    type: 'process-order',
    queue: 'orders',
    args: z.object({ orderId: z.string() }),
    perform: async () => {},
  });
  const app = defineApp({
    name: 'orders',
    queues: { orders: { channels: 1, prefetch: 1 } },
    jobs: [processOrder],
  });
  await using warren = new Warren({ app, databaseUrl: database.url, amqpUrl: 'none' });
  await warren.start();
  const grpc = await warren.startGrpc({ port: 0, apiToken: 'secret' });
  await warren.startWorker();
  using project = createDocumentedProject('grpc.md');
  const run = () =>
    runCommand(process.execPath, [join(project.folder, 'client.ts')], {
      env: { PATH: '/usr/bin:/bin', GRPC: grpc.address, API_TOKEN: 'secret' },
      timeoutMs: HANG_MS,
    });
  const { status, stdout, stderr } = await run();
  expect(status, stderr).toBe(0);
  const [first, ...states] = stdout.trim().split('\n');
  expect(first).toMatch(/^job \d+ is committed$/);
  expect(states.at(-1)).toBe('JOB_STATE_COMPLETED');
  expect((await run()).stdout.split('\n')[0]).toBe(first); // the same idempotency key
});
