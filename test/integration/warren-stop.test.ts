import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineApp, defineJob, Warren } from '../../src/index.ts';
import { eventually, HANG_MS } from '../support/eventually.ts';
import { createDatabase, createVhost } from '../support/servers.ts';

const greet = defineJob({ type: 'greet', queue: 'mail', args: z.object({}), perform: async () => 'done' });
const app = defineApp({ name: 'crm', queues: { mail: {} }, jobs: [greet] });
const countTimers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

test('a Warren that has stopped leaves no timer behind, so that the process can end', async () => {
  await using database = await createDatabase();
  await using vhost = await createVhost();
  const before = countTimers();
  const warren = new Warren({ app, databaseUrl: database.url, amqpUrl: vhost.url });
  await warren.start();
  await warren.startWorker();
  const { job } = await warren.enqueue(greet, {});
  expect(await warren.jobs.wait(job.id, { timeoutMs: HANG_MS })).toMatchObject({ output: 'done' });
  await warren.stop();
  await eventually(countTimers, (timers) => timers <= before); // the test runner has timers of its own, now and then
});
