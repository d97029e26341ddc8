import * as v from 'valibot';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { AccessTokens } from '../../src/api/access/access-tokens.ts';
import { renderDocsPage } from '../../src/api/docs-page.ts';
import { defineJob } from '../../src/jobs/define.ts';
import type { JobDefinition } from '../../src/shared/job/job.ts';
import { createOfflineApp, toAnswer } from '../support/api.ts';

test('the document describes every route for programs, and nothing else', async () => {
  const app = createOfflineApp();
  const { body } = await toAnswer(await app.request('/openapi.json'));
  const described = Object.entries<object>(body.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path.replaceAll(/{(\w+)}/g, ':$1')}`),
  );
  const served = app.routes
    .filter(({ method, path }) => method !== 'ALL' && !path.startsWith('/dashboard')) // pages for people
    .map(({ method, path }) => `${method} ${path}`);
  expect(new Set(described)).toEqual(new Set(served));
  expect(body.openapi).toBe('3.1.0');
});

test('the document has the schemas of requests, answers and job types', async () => {
  const { body } = await toAnswer(await createOfflineApp().request('/openapi.json'));
  expect(Object.keys(body.components.schemas)).toEqual(
    expect.arrayContaining(['NewJob', 'Job', 'Problem', 'Queue', 'Readiness']),
  );
  expect(body.components.schemas.NewJob.additionalProperties).toBe(false);
  expect(body['x-job-types'].map(({ type }: { type: string }) => type)).toContain('process-order');
  expect(body.paths['/v1/jobs'].post.requestBody.required).toBe(true);
  expect(body.paths['/v1/jobs'].post).not.toHaveProperty('security');
  expect(body.paths['/v1/jobs'].post['x-role']).toBe('operator');
  expect(body.components.securitySchemes).toBeUndefined();
});

test('the document says that the answer to the deletion of a limit may be null', async () => {
  const { body } = await toAnswer(await createOfflineApp().request('/openapi.json'));
  const { schema } = body.paths['/v1/limits/{name}'].delete.responses['200'].content['application/json'];
  expect(schema.anyOf).toEqual([{ $ref: '#/components/schemas/Limit' }, { type: 'null' }]);
});

test('every route that enqueues names the headers of a trace', async () => {
  const { body } = await toAnswer(await createOfflineApp().request('/openapi.json'));
  for (const path of ['/v1/jobs', '/v1/jobs/batch', '/v1/jobs/bulk', '/v1/batches']) {
    const names = body.paths[path].post.parameters.map(({ name }: { name: string }) => name);
    expect(names, path).toEqual(
      expect.arrayContaining(['x-request-id', 'traceparent', 'tracestate', 'baggage']),
    );
  }
});

test('where tokens are asked for the document says which role each route needs', async () => {
  const app = createOfflineApp({ tokens: new AccessTokens({ apiToken: 'secret' }) });
  const headers = { authorization: 'Bearer secret' };
  const { body } = await toAnswer(await app.request('/openapi.json', { headers }));
  expect(Object.keys(body.components.securitySchemes)).toEqual(['bearer', 'session']);
  expect(body.paths['/v1/jobs'].get.security).toEqual([{ bearer: ['viewer'] }, { session: ['viewer'] }]);
  expect(body.paths['/livez'].get.security).toEqual([]);
});

test('the page shows every path, loads nothing and runs nothing', async () => {
  const { status, headers, body } = await toAnswer(await createOfflineApp().request('/docs'));
  expect(status).toBe(200);
  for (const path of ['/v1/jobs/batch', '/v1/queues/{name}/pause', '/api/test/{id}', 'process-order'])
    expect(body).toContain(path);
  expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'sha256-/);
  expect(body).not.toMatch(/<script|<link|<img|src=|style="/);
});

test('what comes from definitions is escaped', async () => {
  const type = '<img src=x onerror=alert(1)>';
  const evil = defineJob({ type, args: z.unknown(), perform: async () => {} });
  const order = defineJob({ type: 'process-order', args: z.unknown(), perform: async () => {} });
  const app = createOfflineApp({ definitions: new Map([evil, order].map((job) => [job.type, job])) });
  const body = await (await app.request('/docs')).text();
  expect(body).toContain('&lt;img src=x');
  expect(body).not.toContain('<img');
});

test('a job type whose schema has no JSON Schema is shown all the same', async () => {
  const args = v.object({ name: v.string() });
  const greet = defineJob({ type: 'greet', args, perform: async () => {} });
  const order = defineJob({ type: 'process-order', args: z.unknown(), perform: async () => {} });
  const jobs = [greet as JobDefinition, order];
  const app = createOfflineApp({ definitions: new Map(jobs.map((job) => [job.type, job])) });
  const { body } = await toAnswer(await app.request('/openapi.json'));
  expect(body['x-job-types']).toContainEqual({
    type: 'greet',
    queue: 'default',
    maxAttempts: 10,
    timeoutMs: 60_000,
  });
  expect(await (await app.request('/docs')).text()).toContain('Its schema cannot be shown.');
});

test('a document without paths makes a page', async () => {
  const document = { openapi: '3.1.0', info: { title: 'T', version: '1' }, paths: {}, 'x-job-types': [] };
  expect(await renderDocsPage(document)).toContain('<title>T API</title>');
});
