// The routes of schedules: what is taken, what is refused, and in which time.
import { expect, test } from 'vitest';
import { startApi } from '../support/api.ts';
import { createDatabase } from '../support/servers.ts';

const order = { type: 'process-order', args: { orderId: '17' } };

test('a schedule is set, shown, listed, changed, paused, resumed, run and removed', async () => {
  await using database = await createDatabase();
  await using api = await startApi({ databaseUrl: database.url });
  const set = await api.put('/v1/schedules/report', {
    ...order,
    cron: '0 30 2 * * *',
    timezone: 'Europe/Berlin',
    overlap: 'allow',
    catchUp: 'none',
    jitterMs: 500,
    options: { maxAttempts: 2, priority: 5, tags: ['nightly'] },
  });
  expect(set.status).toBe(200);
  expect(set.body).toEqual({
    name: 'report',
    app: 'shop',
    cron: '0 30 2 * * *',
    everyMs: null,
    at: null,
    timezone: 'Europe/Berlin',
    type: 'process-order',
    args: { orderId: '17' },
    options: { maxAttempts: 2, priority: 5, tags: ['nightly'] },
    overlap: 'allow',
    catchUp: 'none',
    jitterMs: 500,
    paused: false,
    definedInCode: false,
    next: expect.arrayContaining([expect.stringMatching(/^\d{4}-\d\d-\d\dT0[01]:30:00\.000Z$/)]),
    lastTick: null,
  });
  expect(set.body.next).toHaveLength(10);
  expect((await api.get('/v1/schedules/report')).body).toEqual(set.body);
  await api.put('/v1/schedules/also', { name: 'also', ...order, everyMs: 3_600_000 });
  const misnamed = await api.put('/v1/schedules/also', { name: 'other', ...order, everyMs: 1_000 });
  expect(misnamed).toMatchObject({ status: 422, body: { errors: [{ pointer: '/name' }] } });
  const first = await api.get('/v1/schedules?limit=1');
  expect(first.body).toMatchObject({ schedules: [{ name: 'also', everyMs: 3_600_000 }], nextCursor: 'also' });
  const second = await api.get(`/v1/schedules?limit=1&cursor=${first.body.nextCursor}`);
  expect(second.body).toMatchObject({ schedules: [{ name: 'report' }], nextCursor: null });
  expect((await api.post('/v1/schedules/report/pause')).body).toMatchObject({ paused: true });
  expect((await api.post('/v1/schedules/report/pause')).status).toBe(200);
  expect((await api.post('/v1/schedules/report/resume')).body).toMatchObject({ paused: false });
  const stays = { ...order, cron: '0 30 2 * * *', options: { maxAttempts: 2 } };
  const pausedBy = async (given: object) =>
    (await api.put('/v1/schedules/report', { ...stays, ...given })).body.paused;
  expect(await pausedBy({ paused: true })).toBe(true);
  expect(await pausedBy({})).toBe(true);
  expect(await pausedBy({ paused: false })).toBe(false);
  await api.put('/v1/schedules/rests', { ...order, everyMs: 1_000, paused: true });
  expect((await api.get('/v1/schedules/rests')).body).toMatchObject({ paused: true });
  await api.delete('/v1/schedules/rests');
  const runs = [await api.post('/v1/schedules/report/run'), await api.post('/v1/schedules/report/run')];
  for (const run of runs) {
    expect(run).toMatchObject({ status: 202, body: { jobId: expect.stringMatching(/^\d+$/) } });
    expect(run.headers.get('location')).toBe(`/v1/jobs/${run.body.jobId}`);
    expect((await api.get(`/v1/jobs/${run.body.jobId}`)).body.job).toMatchObject({
      ...order,
      maxAttempts: 2,
    });
  }
  const newest = await api.get('/v1/schedules/report/history?limit=1');
  expect(newest.body.ticks).toMatchObject([
    { outcome: 'enqueued', reason: 'run-now', jobId: runs[1]?.body.jobId, until: null },
  ]);
  const older = await api.get(`/v1/schedules/report/history?limit=1&cursor=${newest.body.nextCursor}`);
  expect(older.body).toMatchObject({ ticks: [{ jobId: runs[0]?.body.jobId }], nextCursor: null });
  expect((await api.delete('/v1/schedules/report')).status).toBe(204);
  expect((await api.delete('/v1/schedules/report')).status).toBe(404);
  for (const act of ['run', 'pause', 'resume'])
    expect((await api.post(`/v1/schedules/report/${act}`)).status).toBe(404);
  expect((await api.get('/v1/schedules/report')).status).toBe(404);
  expect((await api.get('/v1/schedules/never/history')).status).toBe(404);
  expect((await api.get('/v1/schedules/report/history')).body.ticks).toHaveLength(2);
});

const refused: [object, string][] = [
  [{ ...order }, '/cron'],
  [{ ...order, cron: '* * * * *', everyMs: 1_000 }, '/cron'],
  [{ ...order, cron: '0 0 1--100000000 * *' }, '/cron'],
  [{ ...order, cron: '*/0 * * * *' }, '/cron'],
  [{ ...order, cron: '1,'.repeat(200_000) }, '/cron'],
  [{ ...order, cron: '0 0 30 2 *' }, '/cron'],
  [{ ...order, cron: '* * * * *', timezone: 'Mars/Olympus' }, '/timezone'],
  [{ ...order, everyMs: 1_000, timezone: 'Europe/Berlin' }, '/timezone'],
  [{ ...order, everyMs: 10 }, '/everyMs'],
  [{ ...order, at: 'tomorrow' }, '/at'],
  [{ ...order, cron: '* * * * *', args: {} }, '/args/orderId'],
  [{ ...order, cron: '* * * * *', type: 'no-such-type' }, '/type'],
  [{ ...order, cron: '* * * * *', overlap: 'sometimes' }, '/overlap'],
  [{ ...order, cron: '* * * * *', catchUp: 'some' }, '/catchUp'],
  [{ ...order, cron: '* * * * *', jitterMs: 1e12 }, '/jitterMs'],
  [{ ...order, cron: '* * * * *', options: { runAt: '2026-01-01T00:00:00Z' } }, '/options/runAt'],
  [{ ...order, cron: '* * * * *', options: { queue: 'nowhere' } }, '/options/queue'],
  [{ ...order, cron: '* * * * *', options: { limits: ['typo:17'] } }, '/options/limits'],
  [
    { ...order, cron: '* * * * *', options: { unique: { key: 'a', onConflict: 'replace' } } },
    '/options/unique/onConflict',
  ],
  [{ ...order, cron: '* * * * *', next: [] }, '/next'],
];

test('what is no schedule is refused with a pointer to it, however hostile, and nothing is kept', async () => {
  await using database = await createDatabase();
  await using api = await startApi({ databaseUrl: database.url });
  for (const [body, pointer] of refused) {
    const answer = await api.put('/v1/schedules/report', body);
    expect(answer, pointer).toMatchObject({ status: 422, body: { errors: expect.any(Array) } });
    expect(answer.body.errors.map((error: { pointer: string }) => error.pointer)).toContain(pointer);
  }
  expect((await api.get('/v1/schedules')).body.schedules).toEqual([]);
});

test('a name that is none is refused, and one that nobody has is not found', async () => {
  await using database = await createDatabase();
  await using api = await startApi({ databaseUrl: database.url });
  const body = { ...order, cron: '* * * * *' };
  expect((await api.put('/v1/schedules/Not%20a%20name', body)).body.errors).toMatchObject([
    { pointer: '/name' },
  ]);
  expect((await api.get('/v1/schedules/a%00b')).status).toBeGreaterThanOrEqual(404);
  expect((await api.get('/v1/schedules?cursor=%00')).status).toBe(422);
  expect((await api.get('/v1/schedules/report/history?cursor=yesterday')).status).toBe(422);
});

test('arguments that their type hides are shown to nobody', async () => {
  await using database = await createDatabase();
  await using api = await startApi({ databaseUrl: database.url });
  const args = { url: 'https://example.com/hook', headers: { authorization: 'Bearer secret' } };
  const { body } = await api.put('/v1/schedules/hook', { type: 'deliver-webhook', args, cron: '0 4 * * *' });
  expect(JSON.stringify(body)).not.toContain('secret');
});

test('without Postgres the routes answer 503', async () => {
  await using api = await startApi({ until: 'listening' });
  expect((await api.get('/v1/schedules')).status).toBe(503);
});
