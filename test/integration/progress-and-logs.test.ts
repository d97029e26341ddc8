// What handlers say while they run, as people see it: progress, lines of the log.
import { once } from 'node:events';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import type { Job } from '../../src/index.ts';
import { defineApp, defineJob, NotFound, Warren } from '../../src/index.ts';
import { eventually, HANG_MS } from '../support/eventually.ts';
import type { TestDatabase } from '../support/servers.ts';
import { createDatabase } from '../support/servers.ts';

const releases = new EventTarget();

const importFile = defineJob({
  type: 'import-file',
  args: z.object({ rows: z.number() }),
  async perform({ rows }, { jobId, log, progress }) {
    log.info('opened', { rows });
    progress(1 / rows, 'row 1');
    progress(2 / rows, 'row 2');
    await once(releases, jobId);
    log.warn('a row is empty');
    progress(7);
    return { rows };
  },
});
const failOnce = defineJob({
  type: 'fail-once',
  args: z.object({}),
  backoffMs: () => 0,
  async perform(_args, { attempt, log }) {
    log.error(`attempt ${attempt}`, new Error('no such file'));
    if (attempt === 1) throw new Error('again');
  },
});
const talk = defineJob({
  type: 'talk',
  args: z.object({ lines: z.number(), characters: z.number() }),
  async perform({ lines, characters }, { log }) {
    for (let line = 0; line < lines; line += 1) log.debug('\u0000'.padEnd(characters, 'x'));
  },
});
const whisper = defineJob({
  type: 'whisper',
  args: z.object({ token: z.string() }),
  redact: ['token'],
  async perform({ token }, { log, progress }) {
    log.info(`has ${token}`, { nested: [token] });
    progress(0.5, `with ${token}`);
  },
});
const app = defineApp({ name: 'crm', queues: { default: {} }, jobs: [importFile, failOnce, talk, whisper] });

let database: TestDatabase;
let sql: postgres.Sql;
let warren: Warren;
let http: ReturnType<Warren['http']>;

beforeAll(async () => {
  database = await createDatabase();
  sql = postgres(database.url, { max: 1 });
  warren = new Warren({ app, databaseUrl: database.url, amqpUrl: 'none' });
  await warren.start();
  http = warren.http({ isOpen: true });
  await warren.startWorker();
  await warren.startWorker(); // of the same instance, with the same events
});

afterAll(async () => {
  await warren?.stop();
  await sql?.end();
  await database?.[Symbol.asyncDispose]();
});

test('progress and lines of a running job are there for people, and all of them with its end', async () => {
  const { job } = await warren.enqueue(importFile, { rows: 4 });
  const shown = await eventually(
    async () => (await (await http.request(`/v1/jobs/${job.id}`)).json()) as { job: Job },
    ({ job: { progress } }) => progress !== undefined,
  );
  expect(shown.job.progress).toEqual({ share: 0.5, text: 'row 2', at: expect.any(String) });
  const { logs } = await eventually(
    async () => (await (await http.request(`/v1/jobs/${job.id}/logs`)).json()) as { logs: unknown[] },
    ({ logs: { length } }) => length > 0,
  );
  expect({ logs }).toEqual({
    logs: [{ at: expect.any(String), attempt: 1, level: 'info', message: 'opened {"rows":4}' }],
  });

  releases.dispatchEvent(new Event(job.id));
  const ended = await warren.jobs.wait(job.id, { timeoutMs: HANG_MS });
  expect(ended).toMatchObject({ state: 'completed', progress: { share: 1, text: null } });
  const lines = await warren.jobs.logs(job.id);
  expect(lines.map(({ level, message }) => `${level} ${message}`)).toEqual([
    'info opened {"rows":4}',
    'warn a row is empty',
  ]);
  const endedAt = ended.finishedAt?.getTime() ?? 0;
  for (const { at } of lines) expect(Date.parse(at)).toBeLessThanOrEqual(endedAt);
});

test('each line names its attempt, an error as text', async () => {
  const { job } = await warren.enqueue(failOnce, {});
  await warren.jobs.wait(job.id, { timeoutMs: HANG_MS });
  expect(await warren.jobs.logs(job.id)).toMatchObject([
    { attempt: 1, level: 'error', message: 'attempt 1: Error: no such file' },
    { attempt: 2, level: 'error', message: 'attempt 2: Error: no such file' },
  ]);
});

test.each([
  ['lines', { lines: 1_500, characters: 10 }, 1_001],
  ['bytes', { lines: 500, characters: 3_900 }, 66],
])('the log of an attempt is bounded in %s, and says that it is cut', async (_, args, count) => {
  const { job } = await warren.enqueue(talk, args);
  await warren.jobs.wait(job.id, { timeoutMs: HANG_MS });
  const lines = await warren.jobs.logs(job.id);
  expect(lines).toHaveLength(count);
  expect(lines[0]?.message).toBe('\ufffd'.padEnd(args.characters, 'x'));
  expect(lines.at(-1)?.message).toContain('is cut here');
});

test('what a type hides of its arguments is in no line and no progress', async () => {
  const { job } = await warren.enqueue(whisper, { token: 'open-sesame' });
  const ended = await warren.jobs.wait(job.id, { timeoutMs: HANG_MS });
  expect(ended.progress).toMatchObject({ text: 'with [redacted]' });
  expect(await warren.jobs.logs(job.id)).toMatchObject([
    { message: 'has [redacted] {"nested":["[redacted]"]}' },
  ]);
});

test('what a job has said goes with the job, whoever deletes it', async () => {
  const { job } = await warren.enqueue(whisper, { token: 'open-sesame' });
  await warren.jobs.wait(job.id, { timeoutMs: HANG_MS });
  await sql`delete from warren.jobs where id = ${job.id}`;
  const left = await sql`
    select job_id from warren.job_logs where job_id = ${job.id}
    union all select job_id from warren.job_progress where job_id = ${job.id}`;
  expect(left).toHaveLength(0);
  await expect(warren.jobs.logs(job.id)).rejects.toThrow(NotFound);
  expect((await http.request(`/v1/jobs/${job.id}/logs`)).status).toBe(404);
});
