import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineApp, defineJob, InvalidInput, Warren } from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import { createDatabase, createVhost } from '../support/servers.ts';

const greet = defineJob({
  type: 'greet',
  queue: 'mail',
  args: z.object({ name: z.string() }),
  perform: async ({ name }) => ({ greeted: name }),
});
const app = defineApp({ name: 'crm', queues: { mail: { channels: 2, prefetch: 10 } }, jobs: [greet] });

test.each(['rabbitmq', 'none'])(
  'an application enqueues and runs its own job type on its own queue, with broker %s',
  async (broker) => {
    await using database = await createDatabase({ migrated: false });
    await using vhost = await createVhost();
    await using warren = new Warren({
      app,
      databaseUrl: database.url,
      amqpUrl: broker === 'none' ? 'none' : vhost.url,
    });
    expect((await warren.migrate()).applied).not.toEqual([]);
    await warren.start();
    await warren.start();
    const worker = await warren.startWorker();
    const { job, created } = await warren.enqueue(greet, { name: 'Ada' });
    expect(created).toBe(true);
    const ended = await eventually(
      () => warren.jobs.find(job.id),
      (found) => found?.state === 'completed',
    );
    expect(ended).toMatchObject({ queue: 'mail', attempt: 1, output: { greeted: 'Ada' } });
    await worker.stop();
    await warren.stop();
    await warren.stop();
  },
);

test('a job type of another application is refused before anything is written', async () => {
  await using warren = new Warren({ app, databaseUrl: 'postgres://127.0.0.1:1/none', amqpUrl: 'none' });
  const foreign = defineJob({ type: 'greet', args: z.object({}), perform: async () => {} });
  await expect(warren.enqueue(foreign, {})).rejects.toThrow(InvalidInput);
});
