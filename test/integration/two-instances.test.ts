// Two instances of Warren in one process, on one database: neither hears, counts or logs what happens in the other.
import { Writable } from 'node:stream';
import type { Hono } from 'hono';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineApp, defineJob, Warren } from '../../src/index.ts';
import { Events } from '../../src/shared/observe/events.ts';
import { createLogger, logEvents } from '../../src/shared/observe/log.ts';
import { LogOutput } from '../../src/shared/observe/log-output.ts';
import { listen } from '../support/events.ts';
import { createDatabase } from '../support/servers.ts';

const greet = defineJob({ type: 'greet', args: z.object({}), perform: async () => 'hello' });
const app = defineApp({ name: 'crm', queues: { default: {} }, jobs: [greet] });

/** What the instance's own API has counted by now. */
async function counted(api: Hono): Promise<{ enqueued: number; finished: number }> {
  const text = await (await api.request('/metrics', { headers: { authorization: 'Bearer a' } })).text();
  const sum = (name: string) =>
    [...text.matchAll(new RegExp(`^${name}{[^}]*} (\\d+)$`, 'gm'))].reduce(
      (all, [, n]) => all + Number(n),
      0,
    );
  return { enqueued: sum('warren_jobs_enqueued_total'), finished: sum('warren_attempts_finished_total') };
}

test('what happens in one Warren is neither heard nor counted in another', async () => {
  await using database = await createDatabase();
  const open = () => new Warren({ app, databaseUrl: database.url, amqpUrl: 'none' });
  await using enqueuing = open();
  await using working = open();
  await Promise.all([enqueuing.start(), working.start()]);
  const apis = [enqueuing, working].map((warren) => warren.http({ apiToken: 'a' })); // they count from here on
  using enqueued = listen(enqueuing.events, 'job.enqueued');
  using endedElsewhere = listen(enqueuing.events, 'job.ended');
  using enqueuedElsewhere = listen(working.events, 'job.enqueued');
  using ended = listen(working.events, 'job.ended');
  await working.startWorker();
  const { job } = await enqueuing.enqueue(greet, {});
  await ended.first(({ jobId }) => jobId === job.id);
  expect([enqueued.all.length, ended.all.length]).toEqual([1, 1]);
  expect([endedElsewhere.all, enqueuedElsewhere.all]).toEqual([[], []]);
  expect(await Promise.all(apis.map(counted))).toEqual([
    { enqueued: 1, finished: 0 },
    { enqueued: 0, finished: 1 },
  ]);
});

test('a log has the lines of its own instance, and none of another', async () => {
  const logs = ['one', 'other'].map((name) => {
    const lines: Record<string, unknown>[] = [];
    const stream = new Writable({
      write: (chunk, _encoding, done) => {
        lines.push(JSON.parse(String(chunk)));
        done();
      },
    });
    const events = new Events();
    const output = new LogOutput(stream, events);
    const stop = logEvents(events, createLogger({ name, level: 'debug', output }));
    return { lines, events, output, stop };
  });
  for (const [index, { events }] of logs.entries())
    events.publish('publish.returned', { jobId: String(index), queue: 'default' });
  for (const { output, stop } of logs) {
    await output.flushed(60_000);
    stop();
  }
  expect(logs.map(({ lines }) => lines.map(({ name, jobId }) => [name, jobId]))).toEqual([
    [['one', '0']],
    [['other', '1']],
  ]);
});
