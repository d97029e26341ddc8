import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { deliverWebhook } from '../../src/jobs/deliver-webhook.ts';
import { Enqueuer } from '../../src/queue/enqueue.ts';
import { Events } from '../../src/shared/observe/events.ts';
import { Database } from '../../src/shared/postgres/database.ts';
import { Publisher } from '../../src/shared/rabbitmq/publisher.ts';
import { HANG_MS } from '../support/eventually.ts';
import { startProgram } from '../support/program.ts';
import { createDatabase, createVhost } from '../support/servers.ts';
import { app, queueNames } from '../support/shop.ts';

const nowhere = {
  DATABASE_URL: 'postgres://nobody:nothing@127.0.0.1:1/nowhere',
  AMQP_URL: 'amqp://127.0.0.1:1',
  PORT: '0',
  WORKER_HEALTH_PORT: '0',
};

test.each(['api', 'worker'] as const)(
  'the %s waits for servers that are away, and stops when it is told to',
  async (name) => {
    await using program = await startProgram(name, nowhere);
    await program.waitForLog('writes are tried again');
    program.signal('SIGTERM');
    expect(await program.exited).toEqual({ code: 0, signal: null });
  },
);

test.each(['api', 'worker'] as const)('SIGHUP and SIGINT stop the %s cleanly too', async (name) => {
  for (const signal of ['SIGHUP', 'SIGINT'] as const) {
    await using program = await startProgram(name, nowhere);
    await program.waitForLog('writes are tried again');
    program.signal(signal);
    expect(await program.exited).toEqual({ code: 0, signal: null });
    expect(program.logs.at(-1)?.msg).toBe('stopped');
  }
});

test.each(['api', 'worker'] as const)(
  'the %s tells in one line what is wrong with its settings',
  async (name) => {
    await using program = await startProgram(name, {
      AMQP_URL: 'nothing',
      PORT: 'x',
      DATABASE_POOL_MIN: '9',
      DATABASE_POOL_MAX: '3',
    });
    expect((await program.exited).code).toBe(1);
    expect(program.text).toHaveLength(1);
    for (const setting of ['DATABASE_URL', 'AMQP_URL', 'PORT', 'DATABASE_POOL_MIN'])
      expect(program.text[0]).toContain(setting);
  },
);

test.each(['api', 'worker'] as const)(
  'the %s refuses a schema that is older than it in a line of its log',
  async (name) => {
    await using database = await createDatabase({ migrated: false });
    await using program = await startProgram(name, {
      DATABASE_URL: database.url,
      AMQP_URL: 'none',
      PORT: '0',
      WORKER_HEALTH_PORT: '0',
    });
    expect((await program.exited).code).toBe(1);
    expect(program.text).toEqual([]);
    expect(program.logs.at(-1)).toMatchObject({ level: 60, msg: expect.stringContaining('npm run migrate') });
  },
);

test('a second signal stops a worker at once, though a job is running', async () => {
  await using database = await createDatabase();
  await using vhost = await createVhost();
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  await using worker = await startProgram('worker', {
    DATABASE_URL: database.url,
    AMQP_URL: vhost.url,
    WORKER_HEALTH_PORT: '0',
    WEBHOOK_ALLOW_PRIVATE: 'true',
  });
  const connected = once(silent, 'connection');
  await enqueueWebhook({
    databaseUrl: database.url,
    amqpUrl: vhost.url,
    port: (silent.address() as AddressInfo).port,
  });
  const [socket] = await connected;
  worker.signal('SIGTERM');
  const waiting = await worker.waitForLog('waiting for running jobs; a second signal stops at once');
  expect(waiting).toMatchObject({ runningJobs: 1, atMostMs: 25_000 });
  worker.signal('SIGTERM');
  expect(await worker.exited).toEqual({ code: 1, signal: null });
  socket.destroy();
  silent.close();
});

async function enqueueWebhook(options: {
  databaseUrl: string;
  amqpUrl: string;
  port: number;
}): Promise<void> {
  const events = new Events();
  const database = new Database({ url: options.databaseUrl, name: 'signals', min: 0, max: 1, events });
  const publisher = new Publisher({
    url: options.amqpUrl,
    name: 'signals',
    channels: 1,
    queues: queueNames,
    events,
  });
  publisher.start();
  await publisher.connection.opened(HANG_MS);
  const enqueuer = new Enqueuer({ database, publisher, app, events });
  await enqueuer.enqueue({
    definition: deliverWebhook,
    args: { url: `http://127.0.0.1:${options.port}/`, timeoutMs: 60_000 },
  });
  await publisher.stop();
  await enqueuer.stop();
  await database.stop();
}
