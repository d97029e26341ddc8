// Dead letters as people use them: looked at, sent again and deleted, over the API and in a real browser.
import { hash } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { DeadLetterPage } from '../../src/index.ts';
import { defineApp, defineJob, Warren } from '../../src/index.ts';
import {
  publishConfirmed,
  publishRaw,
  readyCount,
  takeDeadLetters,
  takeMessages,
} from '../support/broker.ts';
import type { TestBrowser } from '../support/browser.ts';
import { findBrowserObstacle, startBrowser } from '../support/browser.ts';
import { eventually } from '../support/eventually.ts';
import { checkedOptions, checkPage } from '../support/page-checks.ts';
import type { TestDatabase, TestVhost } from '../support/servers.ts';
import { asUser, createDatabase, createVhost } from '../support/servers.ts';

const greet = defineJob({ type: 'greet', args: z.object({ name: z.string() }), perform: async () => {} });
const app = defineApp({ name: 'crm', queues: { default: {} }, jobs: [greet] });
const tokens = (['viewer', 'operator'] as const).map((role) => ({
  name: role,
  role,
  sha256: hash('sha256', `the ${role} token`, 'hex'),
}));
const NO_JOB = '9223372036854775807';

let stack: AsyncDisposableStack;
let database: TestDatabase;
let vhost: TestVhost;
let warren: Warren;
let url: string;

beforeAll(async () => {
  await using opened = new AsyncDisposableStack();
  database = opened.use(await createDatabase());
  vhost = opened.use(await createVhost());
  warren = new Warren({
    app,
    databaseUrl: database.url,
    amqpUrl: asUser(vhost.url, 'api'),
  });
  opened.defer(() => warren.stop());
  await warren.start();
  await eventually(
    () => warren.deadLetters.list().catch(() => undefined),
    (page) => page !== undefined, // RabbitMQ has the queues
  );
  const host = new Hono();
  host.get('/favicon.ico', (c) => c.body(null, 204)); // browsers ask the application for it
  host.mount('/', warren.http({ tokens }).fetch);
  const server = createAdaptorServer({ fetch: host.fetch });
  opened.defer(() => void server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  stack = opened.move();
});

afterAll(async () => await stack.disposeAsync());

beforeEach(async () => {
  await takeDeadLetters(vhost);
  await takeMessages(vhost, 'warren.default');
});

const reasonOf = (body: string) =>
  /^\d+$/.test(body) ? `unknown_job: there is no job ${body}` : 'undecodable: the body is no list of job ids';

/** As a worker puts them there. */
async function bury(...letters: { body: string; queue?: string; id?: string }[]): Promise<void> {
  await publishConfirmed(vhost, async (channel) => {
    for (const { body, queue = 'default', id } of letters)
      channel.publish('warren.dead', queue, Buffer.from(body), {
        headers: { 'x-warren-reason': reasonOf(body), 'x-warren-queue': queue },
        ...(id === undefined ? {} : { messageId: id }),
      });
  });
  await eventually(
    () => readyCount(vhost, 'warren.dead'),
    (count) => count === letters.length,
  );
}

async function call(method: string, path: string, role = 'operator') {
  const answer = await fetch(url + path, { method, headers: { authorization: `Bearer the ${role} token` } });
  return { status: answer.status, body: await answer.json() };
}

test('a look tells why and which jobs, and changes nothing', async () => {
  const { job } = await warren.enqueue(greet, { name: 'Ada' });
  await bury({ body: NO_JOB, id: NO_JOB }, { body: job.id, id: job.id }, { body: 'x'.repeat(5_000) });
  const seen = await warren.deadLetters.list();
  const reason = reasonOf(NO_JOB);
  expect(seen).toEqual({
    total: 3,
    deadLetters: [
      expect.objectContaining({
        queue: 'default',
        reason,
        jobs: [{ id: NO_JOB, state: null }],
        body: NO_JOB,
      }),
      expect.objectContaining({ jobs: [{ id: job.id, state: 'available' }] }),
      expect.objectContaining({ jobs: [], body: 'x'.repeat(200), bodyBytes: 5_000 }),
    ],
  } satisfies Record<keyof DeadLetterPage, unknown>);
  for (let look = 2; look <= 10; look += 1) {
    expect(await warren.deadLetters.list(), `look ${look}`).toEqual(seen); // what the one before had taken is back
    expect(await warren.deadLetters.list({ limit: 1 })).toMatchObject({
      total: 3,
      deadLetters: [{ body: NO_JOB }],
    });
  }
});

test('all are sent again to their queues; what no queue takes stays, and nothing is lost', async () => {
  await bury(
    { body: '1' },
    { body: '2', queue: 'no-such-queue' },
    { body: '3', id: '3' },
    { body: '4', id: '3' },
  );
  expect(await call('POST', '/v1/dead-letters/resend', 'viewer')).toMatchObject({ status: 403 });
  expect(await call('POST', '/v1/dead-letters/resend')).toEqual({ status: 200, body: { sent: 3, left: 1 } });
  expect((await takeMessagesOf('warren.default')).toSorted()).toEqual(['1', '3', '4']);
  expect((await takeDeadLetters(vhost)).map(({ body }) => body)).toEqual(['2']);
});

test('one of them is sent again or deleted by its id, and one that is not there is told', async () => {
  await bury({ body: '1' }, { body: '2' }, { body: '3' });
  const { deadLetters } = await warren.deadLetters.list();
  const [first, second, third] = deadLetters;
  expect(await call('POST', `/v1/dead-letters/${second?.id}/resend`)).toEqual({
    status: 200,
    body: { sent: 1, left: 2 },
  });
  expect((await warren.deadLetters.list()).deadLetters).toEqual([first, third]); // in their order
  expect(await takeMessagesOf('warren.default')).toEqual(['2']);
  expect(await call('DELETE', `/v1/dead-letters/${third?.id}`)).toMatchObject({
    body: { deleted: 1, left: 1 },
  });
  expect(await call('DELETE', `/v1/dead-letters/${third?.id}`)).toMatchObject({ status: 404 });
  expect(await call('GET', '/v1/dead-letters', 'viewer')).toMatchObject({
    status: 200,
    body: { total: 1, deadLetters: [{ body: '1', at: null }] },
  });
  const { entries } = await warren.audit.list({ limit: 10 });
  expect(entries.map(({ act }) => act)).toContain('dead-letters.resend');
});

test('a letter of a worker has the time when it came', async () => {
  await publishRaw(vhost, 'default', 'no list of ids');
  const worker = await warren.startWorker();
  const { deadLetters } = await eventually(
    () => warren.deadLetters.list(),
    ({ total }) => total === 1,
  );
  await worker.stop();
  expect(deadLetters).toEqual([
    expect.objectContaining({ body: 'no list of ids', queue: 'default', at: expect.any(Date) }),
  ]);
});

const obstacle = await findBrowserObstacle();

describe.skipIf(obstacle !== undefined)(obstacle ?? 'the page', () => {
  let browser: TestBrowser;

  beforeAll(async () => {
    browser = await startBrowser();
  });
  afterAll(async () => await browser?.[Symbol.asyncDispose]());

  async function signIn(role: string, options = {}): Promise<Page> {
    const page = await browser.open(options);
    await page.goto(`${url}/dashboard/dead-letters`);
    await page.getByLabel('Token').fill(`the ${role} token`);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL(`${url}/dashboard/dead-letters`);
    return page;
  }

  test('tells the number before all are sent again, without a script; a viewer has no button', async () => {
    await bury({ body: NO_JOB, id: NO_JOB }, { body: 'no list of ids' }, { body: '<b>7</b>' });
    const viewer = await signIn('viewer');
    await viewer.getByText('<b>7</b>').waitFor();
    expect(await viewer.getByRole('button').count()).toBe(0);
    const page = await signIn('operator', { javaScriptEnabled: false });
    await page.getByRole('row', { name: 'no list of ids' }).getByText('Delete …').click();
    await page.getByRole('row', { name: 'no list of ids' }).getByRole('button', { name: 'Delete' }).click();
    await page.getByText('Deleted.').waitFor();
    await page.getByText('Send all 2 letters again').first().click();
    await page.getByRole('button', { name: 'Send all 2 letters again' }).click();
    await page.getByText('There are none.').waitFor();
    expect((await takeMessagesOf('warren.default')).toSorted()).toEqual([NO_JOB, '<b>7</b>']);
  });

  test('passes axe-core in both themes, and fits a small telephone', async () => {
    await bury({ body: NO_JOB, id: NO_JOB }, { body: 'no list of ids' });
    const page = await signIn('operator', checkedOptions);
    await checkPage(page, `${url}/dashboard/dead-letters`, 'dead-letters');
    expect(browser.errors).toEqual([]);
  });
});

async function takeMessagesOf(queue: string): Promise<string[]> {
  return (await takeMessages(vhost, queue)).map(({ content }) => content.toString());
}
