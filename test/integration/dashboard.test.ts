// The dashboard as people use it: in a real browser, below a path of an application's own server, signed in by role. Every page is looked at by axe-core in
// both themes and at the width of a small telephone.
import { hash } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { actOnJobs, defineApp, defineJob, defineSchedule, Warren } from '../../src/index.ts';
import type { TestBrowser } from '../support/browser.ts';
import { findBrowserObstacle, startBrowser } from '../support/browser.ts';
import { eventually } from '../support/eventually.ts';
import { checkedOptions, checkPage } from '../support/page-checks.ts';
import type { TestDatabase } from '../support/servers.ts';
import { createDatabase } from '../support/servers.ts';

const releases = new EventTarget();
let isMended = false;

const importFile = defineJob({
  type: 'import-file',
  args: z.object({ file: z.string(), token: z.string() }),
  redact: ['token'],
  async perform({ file }, { jobId, log, progress }) {
    log.info(`opened ${file}`);
    progress(0.25, 'row 250 of 1000');
    await once(releases, jobId);
    log.warn('row 251 is empty');
    return { rows: 1000 };
  },
});
const chargeCard = defineJob({
  type: 'charge-card',
  queue: 'payments',
  args: z.object({ order: z.string() }),
  maxAttempts: 1,
  limits: () => ['bank'],
  async perform({ order }) {
    if (!isMended) throw new Error(`the bank refuses order ${order}`, { cause: new TypeError('no answer') });
  },
});
const app = defineApp({
  name: 'crm',
  queues: { default: {}, payments: {} },
  jobs: [importFile, chargeCard, actOnJobs],
  limits: { bank: { concurrency: 5, rate: { count: 100, perMs: 1_000 } } },
  schedules: [
    defineSchedule({ name: 'nightly-charge', cron: '0 3 * * *', job: chargeCard, args: { order: 'night' } }),
  ],
});

const roles = ['viewer', 'operator', 'admin'] as const;
const tokens = roles.map((role) => ({
  name: role,
  role,
  sha256: hash('sha256', `the ${role} token`, 'hex'),
}));
const obstacle = await findBrowserObstacle();

describe.skipIf(obstacle !== undefined)(obstacle ?? 'the dashboard', () => {
  let database: TestDatabase;
  let warren: Warren;
  let server: ReturnType<typeof createAdaptorServer>;
  let browser: TestBrowser;
  let url: string;
  let batchId: string;

  beforeAll(async () => {
    [database, browser] = await Promise.all([createDatabase(), startBrowser()]);
    warren = new Warren({ app, databaseUrl: database.url, amqpUrl: 'none' });
    await warren.start();
    await warren.startWorker();
    const host = new Hono();
    host.get('/favicon.ico', (c) => c.body(null, 204)); // browsers ask the application for it
    host.mount('/ops', warren.http({ tokens }).fetch);
    server = createAdaptorServer({ fetch: host.fetch });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/ops`;
  });

  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await warren?.stop();
    server?.close();
    await database?.[Symbol.asyncDispose]();
  });

  /** As a person does who opens an address without being signed in. */
  async function signIn(role: (typeof roles)[number], path: string, options = {}): Promise<Page> {
    const page = await browser.open(options);
    await page.goto(url + path);
    await page.getByLabel('Token').fill(`the ${role} token`);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL(url + path);
    return page;
  }

  const shows = async (page: Page, text: string | RegExp) => page.getByText(text).first().waitFor();

  test('a job that runs is watched live, from its progress to its end, and hides what its type hides', async () => {
    const { job } = await warren.enqueue(importFile, { file: 'people.csv', token: 'a-secret-token' });
    const page = await signIn('viewer', `/dashboard/jobs/${job.id}`);
    await shows(page, 'row 250 of 1000');
    await shows(page, 'opened people.csv');
    await shows(page, /^Live$/); // what happens from now on is shown without a reload
    expect(await page.content()).toContain('[redacted]');
    expect(await page.content()).not.toContain('a-secret-token');
    await page.evaluate('window.isTheSame = true');
    releases.dispatchEvent(new Event(job.id));
    await page.locator('.state.completed').waitFor();
    await shows(page, 'row 251 is empty');
    expect(await page.evaluate('window.isTheSame')).toBe(true);
    expect(await page.getByRole('button').count()).toBe(0); // a viewer may press none
  });

  test('jobs are found by the text of their errors, and all that match are retried after the number was told', async () => {
    for (let order = 1; order <= 3; order += 1) await warren.enqueue(chargeCard, { order: String(order) });
    const count = async () => (await warren.jobs.list({ state: 'discarded', limit: 10 })).jobs.length;
    await eventually(count, (found) => found === 3);
    const page = await signIn('operator', '/dashboard/jobs?state=discarded');
    await page.getByLabel('Text in arguments and errors').fill('refuses order 2');
    await page.getByRole('button', { name: 'Find' }).click();
    await page.waitForURL(/q=refuses/);
    expect(await page.locator('tbody tr').count()).toBe(1);
    await page.goto(`${url}/dashboard/jobs?state=discarded`);
    isMended = true;
    await page.getByRole('button', { name: 'All that match' }).click();
    await shows(page, 'Retry: 3 jobs?');
    await page.getByRole('button', { name: 'Retry: 3 jobs' }).click();
    await page.waitForURL(/\/dashboard\/jobs\/\d+\?done=enqueued$/);
    await shows(page, 'act-on-jobs');
    await eventually(count, (found) => found === 0);
  });

  test('a queue is paused and resumed, without a script too, and the job that waits in it says why', async () => {
    const page = await signIn('operator', '/dashboard/queues', { javaScriptEnabled: false });
    const queue = page.locator('#queue-payments');
    await queue.getByRole('button', { name: 'Pause' }).click();
    await queue.getByText('paused', { exact: true }).waitFor();
    const { job } = await warren.enqueue(chargeCard, { order: '4' });
    await page.goto(`${url}/dashboard/jobs/${job.id}`);
    await page.locator('#why').getByText('paused').waitFor();
    await page.locator('#why').getByRole('link').click();
    await queue.getByRole('button', { name: 'Resume' }).click();
    await queue.getByText('runs', { exact: true }).waitFor();
    await warren.jobs.wait(job.id);
  });

  test('the overview tells of the workers, and how jobs come to them', async () => {
    const page = await signIn('viewer', '/dashboard');
    await shows(page, '1 working');
    await shows(page, /^Jobs come to the workers straight from Postgres/);
    await shows(page, 'one of them leads');
  });

  test('a job leads to the batch and to the schedule that it belongs to', async () => {
    const [made] = (await warren.batches.create({ jobs: [{ job: chargeCard, args: { order: '6' } }] })).ids;
    const page = await signIn('viewer', `/dashboard/jobs/${made}`);
    await page.getByRole('term').filter({ hasText: 'Batch' }).waitFor();
    const scheduled = await warren.schedules.run('nightly-charge');
    await page.goto(`${url}/dashboard/jobs/${scheduled}`);
    await page.getByRole('main').getByRole('link', { name: 'nightly-charge' }).click();
    await page.waitForURL(`${url}/dashboard/schedules/nightly-charge`);
    await page.goto(`${url}/dashboard`);
    await page.getByRole('link', { name: 'Batches' }).click();
    const [newest] = (await warren.batches.list({ limit: 1 })).batches;
    await page
      .getByRole('main')
      .getByRole('link', { name: newest?.id ?? '', exact: true })
      .click();
    await page.waitForURL(`${url}/dashboard/batches/${newest?.id}`);
  });

  test('a limit is changed and forgotten, without a script too, and what cannot be set is told', async () => {
    const page = await signIn('operator', '/dashboard/limits', { javaScriptEnabled: false });
    const form = page.locator('#limit-bank');
    await form.getByText('Change bank').click();
    await form.getByLabel('Jobs at once at most').fill('7');
    await form.getByRole('button', { name: 'Set bank' }).click();
    await page.getByRole('row', { name: 'bank' }).getByText('0 of 7').waitFor();
    await form.getByText('Change bank').click();
    await form.getByText('Forget …').click();
    await form.getByRole('button', { name: 'Forget' }).click();
    await page.getByRole('row', { name: 'bank' }).getByText('0 of 5').waitFor();
    const refused = await fetch(`${url}/dashboard/limits/bank/set`, {
      method: 'POST',
      headers: { authorization: 'Bearer the operator token' },
      body: new URLSearchParams({ concurrency: '99999999999' }),
    });
    expect(refused.status).toBe(422);
    expect(await refused.text()).toContain('/concurrency');
    const viewer = await signIn('viewer', '/dashboard/limits');
    await viewer.getByRole('row', { name: 'bank' }).getByText('0 of 5').waitFor();
    expect(await viewer.getByRole('button').count()).toBe(0);
    expect(await viewer.getByText('Change bank').count()).toBe(0);
  });

  test('a form of another site is refused, although the browser is signed in', async () => {
    const page = await signIn('operator', '/dashboard');
    const [cookie] = await page.context().cookies();
    const answer = await fetch(`${url}/dashboard/queues/payments/pause`, {
      method: 'POST',
      headers: { cookie: `${cookie?.name}=${cookie?.value}`, origin: 'https://evil.example' },
    });
    expect(answer.status).toBe(403);
    expect((await warren.queues.list()).filter(({ paused }) => paused)).toEqual([]);
  });

  test('every page passes axe-core in both themes, and fits a small telephone', async () => {
    isMended = false;
    const { job } = await warren.enqueue(chargeCard, { order: '5' });
    await eventually(
      () => warren.jobs.find(job.id),
      (found) => found?.state === 'discarded',
    );
    await warren.enqueue(importFile, { file: 'later.csv', token: 'a-secret-token' }, { delayMs: 3_600_000 });
    const made = await fetch(`${url}/v1/batches`, {
      method: 'POST',
      headers: { authorization: 'Bearer the operator token', 'content-type': 'application/json' },
      body: JSON.stringify({ jobs: [], open: true }),
    });
    batchId = ((await made.json()) as { id: string }).id;
    const pages = {
      overview: '/dashboard',
      jobs: '/dashboard/jobs',
      job: `/dashboard/jobs/${job.id}`,
      queues: '/dashboard/queues',
      schedules: '/dashboard/schedules',
      schedule: '/dashboard/schedules/nightly-charge',
      limits: '/dashboard/limits',
      workers: '/dashboard/workers',
      batches: '/dashboard/batches',
      batch: `/dashboard/batches/${batchId}`,
      audit: '/dashboard/audit',
    };
    const page = await signIn('admin', '/dashboard', checkedOptions);
    for (const [name, path] of Object.entries(pages)) await checkPage(page, url + path, name);
    await page.keyboard.press('?');
    await page.getByRole('dialog').waitFor();
    expect(browser.errors).toEqual([]); // no script has thrown, and the policy has blocked nothing
  });
});
