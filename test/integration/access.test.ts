// Who may do what, with the whole API on real servers: tokens from a file, a browser's session, and what a job type hides.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { listOf } from '../api/access/tokens.ts';
import { startApi } from '../support/api.ts';
import { createDatabase } from '../support/servers.ts';

test('tokens of a file do what their role lets them, and headers of webhooks are shown to none of them', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'warren-access-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'tokens.json');
  writeFileSync(
    file,
    JSON.stringify(
      listOf([
        ['reads', 'viewer'],
        ['works', 'operator'],
      ]),
    ),
  );
  const database = stack.use(await createDatabase());
  const api = stack.use(await startApi({ databaseUrl: database.url, environment: { TOKENS_FILE: file } }));
  const viewer = { authorization: 'Bearer reads' };
  const operator = { authorization: 'Bearer works' };
  const webhook = {
    type: 'deliver-webhook',
    args: { url: 'https://example.com/', headers: { authorization: 'Bearer s3cret-token' } },
  };

  expect((await api.post('/v1/jobs', webhook)).status).toBe(401);
  expect((await api.post('/v1/jobs', webhook, viewer)).status).toBe(403);
  const enqueued = await api.post('/v1/jobs', webhook, operator);
  expect(enqueued.status).toBe(202);
  const { id } = enqueued.body.job;
  const answers = [
    enqueued,
    await api.get(`/v1/jobs/${id}`, viewer),
    await api.get('/v1/jobs', viewer),
    await api.post(`/v1/jobs/${id}/cancel`, undefined, operator),
    await api.post(`/v1/jobs/${id}/retry`, undefined, operator),
  ];
  for (const { body } of answers) {
    expect(JSON.stringify(body)).toContain('"authorization":"[redacted]"');
    expect(JSON.stringify(body)).not.toContain('s3cret-token');
  }

  const found = async (q: string) =>
    (await api.get(`/v1/jobs?q=${encodeURIComponent(q)}`, viewer)).body.jobs.length;
  expect(await found('s3cret')).toBe(0);
  expect(await found('example.com')).toBe(1);
  const count = { action: 'retry', dryRun: true };
  const cancelled = await api.post(`/v1/jobs/${id}/cancel`, undefined, operator);
  expect(cancelled.status).toBe(200);
  expect((await api.post('/v1/jobs/bulk', { ...count, filter: { q: 's3cret' } }, operator)).body.count).toBe(
    0,
  );
  expect(
    (await api.post('/v1/jobs/bulk', { ...count, filter: { q: 'example.com' } }, operator)).body.count,
  ).toBe(1);

  const signedIn = await fetch(`${api.url}/sign-in`, {
    method: 'POST',
    redirect: 'manual',
    headers: { origin: api.url },
    body: new URLSearchParams({ token: 'reads' }),
  });
  const cookie = signedIn.headers.get('set-cookie')?.split(';')[0] ?? '';
  expect((await api.get('/docs', { cookie })).status).toBe(200);
  expect((await api.get('/openapi.json', { cookie })).status).toBe(200);
});
