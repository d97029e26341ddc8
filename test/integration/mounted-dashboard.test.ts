// The dashboard in applications of other frameworks, as docs/dashboard.md mounts it: pages, forms, the cookie and the stream of events work below a path.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePorts } from '../../dev/free-port.ts';
import type { DocumentedProject } from '../support/documented-project.ts';
import { createDocumentedProject } from '../support/documented-project.ts';
import { HANG_MS } from '../support/eventually.ts';
import type { TestDatabase } from '../support/servers.ts';
import { createDatabase } from '../support/servers.ts';

let database: TestDatabase;
let project: DocumentedProject;

beforeAll(async () => {
  database = await createDatabase({ migrated: false });
  project = createDocumentedProject('dashboard.md');
});

afterAll(async () => {
  project?.[Symbol.dispose]();
  await database?.[Symbol.asyncDispose]();
});

test.each(['hono.ts', 'express.ts', 'fastify.ts'])('%s', { timeout: 2 * HANG_MS }, async (file) => {
  const [port = 0] = await freePorts(1);
  await using _program = await start(file, port);
  const origin = `http://127.0.0.1:${port}`;
  const root = `${origin}/ops`;

  const unknown = await fetch(`${root}/dashboard/queues`, {
    headers: { accept: 'text/html' },
    redirect: 'manual',
  });
  expect(unknown.status).toBe(302);
  const form = new URL(unknown.headers.get('location') ?? '', `${root}/dashboard/queues`);
  expect(form.pathname).toBe('/ops/sign-in');
  const signedIn = await fetch(form, {
    method: 'POST',
    headers: { origin },
    body: new URLSearchParams({ token: 'a-token-of-a-test', to: form.searchParams.get('to') ?? '' }),
    redirect: 'manual',
  });
  expect(new URL(signedIn.headers.get('location') ?? '', form).pathname).toBe('/ops/dashboard/queues');
  const [cookie = ''] = (signedIn.headers.getSetCookie()[0] ?? '').split(';');

  const act = await fetch(`${root}/dashboard/queues/default/pause`, {
    method: 'POST',
    headers: { cookie, origin },
    redirect: 'manual',
  });
  expect(act.status).toBe(303);
  const shown = new URL(act.headers.get('location') ?? '', `${root}/dashboard/queues/default/pause`);
  expect(shown.href).toBe(`${root}/dashboard/queues?done=paused`);
  const page = await (await fetch(shown, { headers: { cookie } })).text();
  expect(page).toContain('<span class="state warn">paused</span>');
  const [, style = ''] = /href="([^"]*style\.css[^"]*)"/.exec(page) ?? [];
  expect((await fetch(new URL(style, shown), { headers: { cookie } })).headers.get('content-type')).toMatch(
    /^text\/css/,
  );

  const authorization = 'Bearer a-token-of-a-test';
  const set = await fetch(`${root}/v1/queues/default`, {
    method: 'PUT',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify({ prefetch: 7 }),
  });
  expect(await set.json()).toMatchObject({ prefetch: 7 });
  const stream = await fetch(`${root}/v1/events`, { headers: { authorization } });
  const reader = stream.body?.getReader();
  expect((await reader?.read())?.value?.length).toBeGreaterThan(0);
  await reader?.cancel();
});

/** Resolves when it listens. */
async function start(file: string, port: number): Promise<AsyncDisposable> {
  const program = spawn(process.execPath, [join(project.folder, file)], {
    env: {
      PATH: '/usr/bin:/bin',
      PORT: String(port),
      DATABASE_URL: database.url,
      WARREN_TOKEN: 'a-token-of-a-test',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(program, 'exit');
  const ended = exited.then(() => Promise.reject(new Error(`${file} has ended`)));
  ended.catch(() => {}); // it ends when it is told to
  await Promise.race([once(createInterface(program.stdout), 'line'), ended]);
  return {
    [Symbol.asyncDispose]: async () => {
      program.kill('SIGKILL');
      await exited;
    },
  };
}
