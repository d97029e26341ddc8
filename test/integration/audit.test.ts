// Who did what: noted before it is done, by the roles of docs/security.md.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { expect, test } from 'vitest';
import { Events } from '../../src/shared/observe/events.ts';
import { Database } from '../../src/shared/postgres/database.ts';
import { createPruner } from '../../src/worker/maintenance/pruner.ts';
import { listOf } from '../api/access/tokens.ts';
import { startApi } from '../support/api.ts';
import { listen } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import { GrpcClient } from '../support/grpc.ts';
import { asRole, createDatabase } from '../support/servers.ts';

const operator = { authorization: 'Bearer works' };
const admin = { authorization: 'Bearer rules' };

/** An API that an operator and an admin may use. */
async function startApiWithTokens(stack: AsyncDisposableStack) {
  const folder = mkdtempSync(join(tmpdir(), 'warren-audit-'));
  stack.defer(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'tokens.json');
  const tokens = listOf([
    ['works', 'operator'],
    ['rules', 'admin'],
  ]);
  writeFileSync(file, JSON.stringify(tokens));
  const database = stack.use(await createDatabase());
  const events = new Events();
  const environment = { TOKENS_FILE: file };
  const api = stack.use(await startApi({ databaseUrl: database.url, environment, events }));
  return { api, database, events, tokens };
}

test('each act is noted with who, from where, on what and how it went; filtered, page by page, for admins alone', async () => {
  await using stack = new AsyncDisposableStack();
  const { api, database, events, tokens } = await startApiWithTokens(stack);
  const sql = postgres(database.url, { max: 1, onnotice: () => {} });
  stack.defer(() => sql.end());
  const list = async (query = '') => (await api.get(`/v1/audit${query}`, admin)).body;
  const acts = async (query = '') =>
    (await list(query)).entries.map(
      ({ act, target, outcome }: Record<string, unknown>) => `${act} ${target} ${outcome}`,
    );

  const order = { type: 'process-order', args: { orderId: '7' }, delayMs: 3_600_000 };
  const { id } = (await api.post('/v1/jobs', order, operator)).body.job;
  await api.get(`/v1/jobs/${id}`, operator);
  await api.post(`/v1/jobs/${id}/cancel`, undefined, { ...operator, 'x-forwarded-for': '192.0.2.1' });
  await api.post(`/v1/jobs/${id}/cancel`, undefined, operator);
  await api.post(`/v1/jobs/${id}/retry`, { args: { orderId: '8' } }, operator);
  await api.put('/v1/limits/stripe', { concurrency: 3 }, admin);
  expect(await acts()).toEqual([
    'limits.set stripe done',
    `jobs.retry ${id} done`,
    `jobs.cancel ${id} refused`,
    `jobs.cancel ${id} done`,
  ]);
  const { entries } = await list();
  expect(entries[0]).toMatchObject({
    who: tokens[1]?.name,
    role: 'admin',
    from: '127.0.0.1',
    detail: { method: 'PUT', path: '/v1/limits/stripe', status: 200, changes: { concurrency: 3 } },
  });
  expect(entries[1].detail.changes).toEqual({ args: '[not kept]' });
  expect(entries[3].detail).toMatchObject({ forwardedFor: '192.0.2.1', requestId: expect.any(String) });

  expect(await acts(`?act=jobs.cancel&target=${id}`)).toHaveLength(2);
  expect(await acts(`?who=${tokens[1]?.name}`)).toEqual(['limits.set stripe done']);
  expect(await acts(`?before=${entries[3].at}`)).toEqual([]);
  expect(await acts(`?after=${entries[3].at}`)).toHaveLength(4);
  expect(await acts('?act=limits')).toEqual(['limits.set stripe done']);
  expect(await acts('?act=limit')).toEqual([]);
  const { nextCursor, entries: page } = await list('?limit=3');
  expect(page).toHaveLength(3);
  expect(await acts(`?limit=3&cursor=${nextCursor}`)).toEqual([`jobs.cancel ${id} done`]);
  await sql`select setval('warren.audit_id_seq', 9)`; // the next number is longer, and smaller as a text
  await api.put('/v1/limits/stripe', { concurrency: 4 }, admin);
  const all = (await list()).entries.map((entry: { id: string }) => Number(entry.id));
  expect(all).toEqual([10, 4, 3, 2, 1]);
  expect((await api.get('/v1/audit?cursor=x', admin)).status).toBe(422);
  expect((await api.get('/v1/audit', operator)).status).toBe(403);

  // An act that cannot be noted is not done.
  await sql`alter table warren.audit rename to elsewhere`;
  expect((await api.post('/v1/queues/default/pause', undefined, operator)).status).toBe(503);
  expect(await sql`select from warren.queues where paused`).toHaveLength(0);
  await sql`alter table warren.elsewhere rename to audit`;
  // One whose end cannot be noted stands, and is told of.
  using failed = listen(events, 'audit.failed');
  await sql`
    create function public.refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$`;
  await sql`create trigger refuse before update on warren.audit for each row execute function public.refuse()`;
  expect((await api.post('/v1/queues/default/pause', undefined, operator)).status).toBe(200);
  expect(await failed.first()).toMatchObject({ act: 'queues.pause' });
  expect((await acts('?limit=1'))[0]).toBe('queues.pause default null');
  await sql`drop trigger refuse on warren.audit`;

  await sql`update warren.audit set at = now() - interval '91 days' where act = 'jobs.cancel'`;
  const kept = new Database({
    url: asRole(database.url, 'worker'),
    name: 'pruner',
    min: 1,
    max: 1,
    events: new Events(),
  });
  const retention = { completed: null, cancelled: null, discarded: null };
  const auditMs = 90 * 86_400_000;
  await createPruner({
    database: kept,
    events,
    onFreed: () => {},
    retention,
    idempotencyKeyMs: 3_600_000,
    auditMs,
  })();
  await kept.stop();
  expect(await acts('?act=jobs.cancel')).toEqual([]);
  expect((await acts()).length).toBeGreaterThan(2);
});

test('the dashboard shows admins who did what, and what was chosen there is found by each of the ids', async () => {
  await using stack = new AsyncDisposableStack();
  const { api, tokens } = await startApiWithTokens(stack);
  const submit = async (path: string, fields: [string, string][], headers: object) =>
    await fetch(api.url + path, {
      method: 'POST',
      headers: { ...headers },
      body: new URLSearchParams(fields),
      redirect: 'manual',
    });
  const order = { type: 'process-order', args: { orderId: '7' }, delayMs: 3_600_000 };
  const enqueue = async (): Promise<string> => (await api.post('/v1/jobs', order, operator)).body.job.id;
  const ids = [await enqueue(), await enqueue(), await enqueue()] as const;
  const chosen = ids.slice(0, 2).map((id): [string, string] => ['id', id]);
  const fields: [string, string][] = [['action', 'cancel'], ['scope', 'chosen'], ['filter', ''], ...chosen];
  expect((await submit('/dashboard/jobs/review', fields, operator)).status).toBe(200); // only asks
  expect((await submit('/dashboard/jobs/bulk', fields, operator)).status).toBe(303);
  const edit: [string, string][] = [
    ['args', '{"orderId":"a secret"}'],
    ['queue', 'default'],
  ];
  await submit(`/dashboard/jobs/${ids[2]}/edit`, edit, { ...operator, 'x-forwarded-for': '192.0.2.7' });

  const found = async (query: string) => (await api.get(`/v1/audit${query}`, admin)).body.entries;
  for (const id of ids.slice(0, 2))
    expect(await found(`?target=${id}`)).toMatchObject([
      { act: 'jobs.bulk', target: null, detail: { changes: { action: 'cancel', id: ids.slice(0, 2) } } },
    ]);
  const [edited] = await found(`?target=${ids[2]}`);
  expect(edited).toMatchObject({ act: 'jobs.edit', detail: { changes: { args: '[not kept]' } } });
  expect(await found('')).toHaveLength(2);

  const { body: page } = await api.get(`/dashboard/audit?act=jobs&target=${ids[2]}&who=&after=`, admin);
  for (const part of [
    tokens[0]?.name,
    '127.0.0.1',
    'forwarded for 192.0.2.7',
    'jobs.edit',
    `href="../dashboard/jobs/${ids[2]}"`,
  ])
    expect(page).toContain(part);
  expect(page).not.toContain('jobs.bulk</a>');
  expect(page).not.toContain('a secret');
  expect((await api.get('/dashboard/audit?before=2000-01-01T00:00', admin)).body).toContain('Nobody did');
  expect((await api.get('/dashboard/audit?after=yesterday', admin)).status).toBe(422);
  expect((await api.get('/dashboard/jobs?createdAfter=2000-01-01T00:00', admin)).status).toBe(200);
  const link = `/dashboard/audit?act=jobs&amp;target=${ids[2]}"`;
  expect((await api.get(`/dashboard/jobs/${ids[2]}`, admin)).body).toContain(link);
  const signedIn = await submit('/sign-in', [['token', 'rules']], {});
  const cookie = signedIn.headers.get('set-cookie')?.split(';')[0] ?? '';
  expect((await api.get('/dashboard/audit', { cookie })).status).toBe(200); // as whoever opens a bookmark
  const { body: seen } = await api.get(`/dashboard/jobs/${ids[2]}`, operator);
  expect(seen).not.toContain('/dashboard/audit');
});

test('acts over gRPC are noted, too', async () => {
  await using stack = new AsyncDisposableStack();
  const database = stack.use(await createDatabase());
  const { api } = stack.use(await startApi({ databaseUrl: database.url, environment: { GRPC_PORT: '0' } }));
  const client = stack.use(new GrpcClient(api.grpcAddress as string));
  expect((await client.call('Cancel', { id: '4711' })).code).toBe('NOT_FOUND');
  const sql = postgres(database.url, { max: 1 });
  stack.defer(() => sql.end());
  const [entry] = await eventually(
    () => sql`select who, act, target, outcome, address from warren.audit`,
    (rows) => rows[0]?.['outcome'] !== null,
  );
  expect(entry).toMatchObject({ who: 'anybody', act: 'jobs.cancel', target: '4711', outcome: 'refused' });
});
