// Encrypted job types: what Postgres, HTTP, the log and the history have of them, and who reads them; keys that are missing, and keys that are retired.
import { createHash } from 'node:crypto';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { actOnJobs, defineApp, defineJob, Warren } from '../../src/index.ts';
import type { EventMessages } from '../../src/shared/observe/events.ts';
import { eventually } from '../support/eventually.ts';
import type { TestDatabase } from '../support/servers.ts';
import { createDatabase } from '../support/servers.ts';

const key = (id: string) => `${id}:${createHash('sha256').update(id).digest('base64')}`;
const SECRET = 'iban-4711-0815';

const pay = defineJob({
  type: 'pay',
  args: z.object({ iban: z.string(), note: z.string().optional(), how: z.string().optional() }),
  encrypted: true,
  maxAttempts: 1,
  perform: async ({ iban, how, note }, context) => {
    context.log.info(`pays to ${iban}`, { iban });
    if (how === 'fail') throw new Error(`${iban} is refused`, { cause: new Error(iban) });
    if (how === 'transaction') return await context.transaction(async () => ({ paid: iban, inside: true }));
    return { paid: iban, note };
  },
});
const other = defineJob({
  ...pay,
  type: 'other',
  args: z.object({ iban: z.string() }),
  perform: async () => 'never',
});
const app = defineApp({ name: 'bank', queues: { default: {} }, jobs: [pay, other, actOnJobs] });

let database: TestDatabase;
let sql: postgres.Sql;
let warren: Warren;

const open = (keys: string) =>
  new Warren({ app, databaseUrl: database.url, amqpUrl: 'none', settings: { ENCRYPTION_KEYS: keys } });

beforeAll(async () => {
  database = await createDatabase();
  sql = postgres(database.url, { max: 1, onnotice: () => {}, fetch_types: false });
  warren = open(key('k1'));
  await warren.start();
});
afterAll(async () => {
  await warren?.stop();
  await sql?.end();
  await database?.[Symbol.asyncDispose]();
});

/** All that Postgres has of the jobs, as text. */
const stored = async () => {
  const rows = await sql<{ text: string }[]>`
    select to_jsonb(jobs)::text as text from warren.jobs
    union all select to_jsonb(logs)::text from warren.job_logs logs
    union all select to_jsonb(schedules)::text from warren.schedules
    union all select to_jsonb(batches)::text from warren.batches`;
  return rows.map(({ text }) => text).join('\n');
};
const rowOf = async (id: string) => (await sql`select args, output from warren.jobs where id = ${id}`)[0];
const sealedBy = (id: string) => ({
  $encrypted: expect.stringMatching(new RegExp(`^${id}\\.[A-Za-z0-9+/]+=*$`)),
});

test('only the application reads them: not Postgres, HTTP, the log or the history', async () => {
  const heard: EventMessages['handler.logged'][] = [];
  const ended: EventMessages['attempt.finished'][] = [];
  warren.events.subscribe('handler.logged', (message) => heard.push(message));
  warren.events.subscribe('attempt.finished', (message) => ended.push(message));
  const worker = await warren.startWorker();
  const { job } = await warren.enqueue(pay, { iban: SECRET });
  const failing = await warren.enqueue(pay, { iban: SECRET, how: 'fail' });
  const inside = await warren.enqueue(pay, { iban: SECRET, how: 'transaction' });
  const [fromBatch = ''] = await warren.enqueueMany([{ job: pay, args: { iban: SECRET } }]);
  const inTransaction = await sql.begin((transaction) =>
    warren.enqueue(pay, { iban: SECRET }, { transaction }),
  );
  await warren.batches.create({
    jobs: [{ job: pay, args: { iban: SECRET } }],
    onEnd: { job: pay, args: { iban: SECRET, note: 'batch' } },
  });
  await warren.schedules.set('monthly', {
    at: new Date().toISOString(),
    type: 'pay',
    args: { iban: SECRET, note: 'tick' },
  });

  expect(await warren.jobs.wait(job.id)).toMatchObject({
    state: 'completed',
    args: { iban: SECRET },
    output: { paid: SECRET },
  });
  expect(await warren.jobs.wait(inside.job.id)).toMatchObject({ output: { paid: SECRET, inside: true } });
  expect(await warren.jobs.wait(failing.job.id)).toMatchObject({
    state: 'discarded',
    args: { iban: SECRET },
    errors: [{ message: 'Error: [redacted] is refused', causes: [{ message: 'Error: [redacted]' }] }],
  });
  for (const id of [fromBatch, inTransaction.job.id])
    expect(await warren.jobs.wait(id)).toMatchObject({ output: { paid: SECRET } });
  const ticked = await eventually(
    () => warren.jobs.list({ state: ['completed'] }),
    ({ jobs }) => ['tick', 'batch'].every((note) => jobs.some(({ output }) => Object(output).note === note)),
  );
  expect(ticked.jobs).toHaveLength(7);
  expect(await rowOf(job.id)).toEqual({ args: sealedBy('k1'), output: sealedBy('k1') });
  await worker.stop();

  const http = warren.http({
    tokens: [{ name: 'root', role: 'admin', sha256: createHash('sha256').update('t').digest('hex') }],
  });
  const ask = (path: string, init?: { method: string; body: string }) =>
    http.request(`http://localhost${path}`, {
      ...init,
      headers: { authorization: 'Bearer t', 'content-type': 'application/json' },
    });
  const shown = await (await ask(`/v1/jobs/${job.id}`)).text();
  expect(JSON.parse(shown)).toMatchObject({ job: { args: '[encrypted]', output: '[encrypted]' } });
  const posted = await ask('/v1/jobs', {
    method: 'POST',
    body: JSON.stringify({ type: 'pay', args: { iban: SECRET }, delayMs: 60_000 }),
  });
  expect(posted.status).toBe(202);
  const listed = await (await ask('/v1/jobs')).text();
  const logs = await (await ask(`/v1/jobs/${job.id}/logs`)).text();
  for (const text of [
    shown,
    listed,
    logs,
    await posted.text(),
    await stored(),
    JSON.stringify([heard, ended]),
  ])
    expect(text).not.toContain(SECRET);
  expect(heard[0]?.message).toBe('pays to [redacted]');
});

test('waiting jobs are changed, merged and looked up by their unique key as others are', async () => {
  const unique = (note: string) => ({
    unique: { key: 'u', onConflict: 'merge' as const },
    delayMs: 60_000,
    note,
  });
  const { note: first, ...options } = unique('first');
  const { job } = await warren.enqueue(pay, { iban: SECRET, note: first }, options);
  const merged = await warren.enqueue(pay, { iban: 'iban-0000-0001' }, options);
  expect(merged).toMatchObject({
    conflict: 'merged',
    job: { id: job.id, args: { iban: 'iban-0000-0001', note: 'first' } },
  });
  const edited = await warren.jobs.edit(job.id, { args: { iban: SECRET, note: 'edited' } });
  expect(edited.args).toEqual({ iban: SECRET, note: 'edited' });
  expect(await rowOf(job.id)).toMatchObject({ args: sealedBy('k1') });
  await warren.jobs.cancel(job.id);
});

test('a text opens nowhere else, and one that was changed fails its attempt', async () => {
  const { job } = await warren.enqueue(other, { iban: SECRET }, { delayMs: 60_000 });
  const victim = await warren.enqueue(pay, { iban: SECRET }, { delayMs: 60_000 });
  await sql`update warren.jobs set args = (select args from warren.jobs where id = ${job.id}) where id = ${victim.job.id}`;
  const worker = await warren.startWorker();
  await warren.jobs.run(victim.job.id);
  expect(await warren.jobs.wait(victim.job.id)).toMatchObject({
    state: 'discarded',
    errors: [{ message: expect.stringContaining('the args cannot be decrypted') }],
  });
  await worker.stop();
  await warren.jobs.cancel(job.id);
});

test('a job whose key is missing waits uncharged, and says so; a key is retired when its jobs are encrypted anew', async () => {
  await sql`delete from warren.jobs where state in ('scheduled', 'available')`;
  const { job } = await warren.enqueue(pay, { iban: SECRET });
  const strange = open(key('k2'));
  await strange.start();
  const stranger = await strange.startWorker();
  const waiting = await eventually(
    () => warren.jobs.find(job.id),
    (found) => (found?.errors.length ?? 0) > 0,
  );
  expect(waiting).toMatchObject({ state: 'scheduled', attempt: 0 });
  expect(waiting?.errors[0]?.message).toContain('key "k1", which is not among ENCRYPTION_KEYS');
  await stranger.stop();

  await using both = open(`${key('k2')},${key('k1')}`);
  await both.start();
  expect(await both.jobs.reencrypt({ type: 'other' })).toMatchObject({ unreadable: [] });
  const { count, unreadable } = await both.jobs.reencrypt();
  expect(count).toBeGreaterThan(5);
  expect(unreadable).toHaveLength(1); // the one of another job type
  expect(await both.jobs.reencrypt()).toEqual({ count: 0, unreadable });
  const left = await sql`
    select id from warren.jobs where (args ->> '$encrypted' like 'k1.%' or output ->> '$encrypted' like 'k1.%') and id <> ${unreadable[0] ?? ''}`;
  expect(left).toEqual([]);

  const worker = await strange.startWorker(); // it has the new key alone
  await strange.jobs.run(job.id);
  expect(await strange.jobs.wait(job.id)).toMatchObject({
    state: 'completed',
    attempt: 1,
    output: { paid: SECRET },
  });
  await worker.stop();
  await strange.stop();
});

test('by an act on many jobs, too: counted first, by a worker that has the new key, and what cannot be opened is named', async () => {
  await sql`delete from warren.jobs where state <> 'discarded'`;
  await using old = open(key('k2'));
  await old.start();
  const ids: string[] = [];
  for (const iban of [SECRET, 'iban-2', 'iban-3'])
    ids.push((await old.enqueue(pay, { iban }, { delayMs: 3_600_000 })).job.id);
  const strange = await old.enqueue(other, { iban: SECRET }, { delayMs: 3_600_000 });
  await using both = open(`${key('k3')},${key('k2')}`);
  await both.start();
  const http = both.http({ isOpen: true });
  const bulk = async (members: object) =>
    await http.request('http://localhost/v1/jobs/bulk', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ action: 'reencrypt', ...members }),
    });
  const filter = { type: 'pay', state: ['scheduled', 'discarded'] };
  await sql`update warren.jobs set args = (select args from warren.jobs where id = ${strange.job.id}) where id = ${ids[0] ?? ''}`;
  const { count } = (await (await bulk({ filter, dryRun: true })).json()) as { count: number };
  expect(count).toBeGreaterThanOrEqual(3);

  const answer = await bulk({ filter });
  expect(answer.status).toBe(202);
  const { job } = (await answer.json()) as { job: { id: string } };
  const oldWorker = await old.startWorker();
  const waiting = await eventually(
    () => both.jobs.find(job.id),
    (found) => (found?.errors.length ?? 0) > 0,
  );
  expect(waiting?.errors[0]?.message).toContain('with the key "k3", and the first of ENCRYPTION_KEYS');
  await oldWorker.stop();
  const worker = await both.startWorker();
  const done = await eventually(
    async () => {
      await both.jobs.run(job.id).catch(() => {}); // it runs already, or has ended
      return await both.jobs.find(job.id);
    },
    (found) => found?.state === 'completed',
  );
  await worker.stop();
  const left = await sql`
    select id::text as id from warren.jobs where type = 'pay' and args ->> '$encrypted' not like 'k3.%' order by id`;
  expect(left.map(({ id }) => id)).toContain(ids[0]);
  expect(done?.output).toEqual({ done: count - left.length });
  for (const id of ids.slice(1)) expect(await rowOf(id)).toMatchObject({ args: sealedBy('k3') });
  expect(await both.jobs.find(ids[1] ?? '')).toMatchObject({ args: { iban: 'iban-2' } });
  expect(await rowOf(strange.job.id)).toMatchObject({ args: sealedBy('k2') }); // of another type
  const logs = await sql<{ message: string }[]>`select message from warren.job_logs where job_id = ${job.id}`;
  expect(logs.map(({ message }) => message).join()).toContain(
    `job ${ids[0]} cannot be opened and stays as it is`,
  );
});

test('nothing starts without keys, and nothing is told of those that are wrong', () => {
  const start = (settings: Record<string, string>) => () =>
    new Warren({ app, databaseUrl: database.url, amqpUrl: 'none', settings });
  expect(start({})).toThrow('ENCRYPTION_KEYS is required: job type "pay" is encrypted');
  expect(start({ ENCRYPTION_KEYS: 'k1:c2hvcnQ=' })).toThrow(
    'ENCRYPTION_KEYS the key "k1" must be 32 bytes in base64',
  );
  expect(start({ ENCRYPTION_KEYS: `${key('k1')},${key('k1')}` })).toThrow('the key "k1" stands twice');
  expect(start({ ENCRYPTION_KEYS: 'secret-without-a-name' })).toThrow('must list id:base64');
  expect(start({ ENCRYPTION_KEYS: 'secret-without-a-name' })).not.toThrow('secret-without');
});
