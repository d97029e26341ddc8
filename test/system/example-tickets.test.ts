// The deli counter as its README tells to run it, its pages in a real browser. Where a ticket must be seen while it is served, its worker is frozen meanwhile.
import type { Page } from 'playwright-core';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findBrowserObstacle, startBrowser } from '../support/browser.ts';
import { eventually } from '../support/eventually.ts';
import type { RunningExample } from '../support/example.ts';
import { startExample } from '../support/example.ts';

interface Ticket {
  number: number;
  state: string;
  place: number;
  expectedSeconds: number;
  servedBy: string | null;
}

const accept = { accept: 'application/json' };
const browserObstacle = await findBrowserObstacle();

let example: RunningExample;
let sql: postgres.Sql;

beforeAll(async () => {
  example = await startExample('tickets', { TICKET_SECONDS: '2' });
  sql = postgres(example.databaseUrl, { max: 1, onnotice: () => {} });
});

afterAll(async () => {
  await sql.end();
  await example[Symbol.asyncDispose]();
});

async function readTicket(url: string, number: number): Promise<Ticket> {
  const response = await fetch(`${url}/tickets/${number}`, { headers: accept });
  return (await response.json()) as Ticket;
}

test('the commands of its README work as they stand there', async () => {
  const [taken = '', ticket = '', monitor = ''] = await example.tryCommands();
  expect(taken).toMatch(/^HTTP\/1.1 201 [\s\S]*"number":1/);
  expect(JSON.parse(ticket)).toMatchObject({ number: 1, place: 0 });
  expect(monitor).toContain('Now serving');
});

test('a form leads to the waiting page, which knows its place and needs no script', async () => {
  const taken = await fetch(`${example.url}/tickets`, { method: 'POST' }); // follows to the page
  expect(taken.url).toMatch(/\/tickets\/\d+$/);
  const page = await taken.text();
  expect(page).toContain('Your ticket');
  expect(page).toContain('<noscript><meta http-equiv="refresh"');
});

test('the page is told of its turn and of its end, in order, without asking', async () => {
  const taken = await fetch(`${example.url}/tickets`, { method: 'POST', headers: accept });
  const { number } = (await taken.json()) as { number: number };
  const events = await (await fetch(`${example.url}/tickets/${number}/events`)).text(); // ends with the ticket
  const turn = events.indexOf('It is your turn');
  const end = events.indexOf('Thank you!');
  expect(turn).toBeGreaterThan(0);
  expect(end).toBeGreaterThan(turn);
  expect(events.trimEnd().endsWith('data:')).toBe(true);
  expect(await readTicket(example.url, number)).toMatchObject({ state: 'served', expectedSeconds: 0 });
});

test('a ticket that nobody has taken is told as such', async () => {
  const page = await fetch(`${example.url}/tickets/99999`);
  expect([page.status, await page.text()]).toEqual([404, expect.stringContaining('No such ticket')]);
});

describe.skipIf(browserObstacle !== undefined)(browserObstacle ?? 'in a browser', () => {
  async function setLine(act: 'pause' | 'resume'): Promise<void> {
    const { url } = example.program('api');
    const answer = await fetch(`${url}/v1/queues/tickets/${act}`, { method: 'POST' });
    expect(answer.ok, await answer.text()).toBe(true);
  }

  /** As a person does: the front page, its button, and the page of the ticket. Returns its number. */
  async function takeTicket(page: Page): Promise<number> {
    await page.goto(example.url);
    await page.getByRole('button', { name: 'Take a ticket' }).click();
    await page.waitForURL(/\/tickets\/\d+$/);
    return Number(await page.locator('.number').textContent());
  }

  const shows = async (page: Page, text: string | RegExp) => page.getByText(text).first().waitFor();

  /** Resolves with how many tickets have been served, when all have been. */
  async function lineIsEmpty(): Promise<number> {
    const line = await eventually(
      async () =>
        await sql`select count(*)::int as taken, count(served_at)::int as served from tickets.tickets`,
      ([counts]) => counts?.['taken'] === counts?.['served'],
    );
    return line[0]?.['served'];
  }

  /** Freezes the worker as soon as it serves this ticket, until the function has ended. */
  async function whileServing(number: number, look: () => Promise<void>): Promise<void> {
    await eventually(
      () => sql`select from tickets.tickets where number = ${number} and serving_since is not null`,
      ({ count }) => count === 1,
      { everyMs: 5 },
    );
    const { pid } = example.program('worker');
    process.kill(pid, 'SIGSTOP');
    try {
      await look();
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  }

  test('a ticket leads from the line to the counter and to the success page by itself, with a script or without', async () => {
    await using browser = await startBrowser();
    const before = await lineIsEmpty();
    await setLine('pause');
    const [first, second] = [await browser.open(), await browser.open()];
    const scriptless = await browser.open({ javaScriptEnabled: false });
    const number = await takeTicket(first);
    expect([await takeTicket(second), await takeTicket(scriptless)]).toEqual([number + 1, number + 2]);
    await shows(first, 'You are next.');
    await shows(second, '1 before you.');
    await shows(scriptless, '2 before you.');
    await shows(first, /About 2 s to go/);
    await shows(scriptless, /About 6 s to go/);
    const loaded: string[] = [];
    first.on('framenavigated', (frame) => loaded.push(frame.url()));

    const watched = await browser.open();
    await watched.goto(`${example.program('monitor').url}/monitor`);
    await shows(watched, `3 waiting: ${number}, ${number + 1}, ${number + 2}`);
    await setLine('resume');
    await whileServing(number, async () => {
      await shows(first, 'It is your turn');
      await shows(second, 'You are next.');
      await shows(scriptless, '1 before you.');
      await watched.locator('.number', { hasText: new RegExp(`^${number}$`) }).waitFor();
      const row = watched
        .getByRole('row')
        .filter({ hasText: new RegExp(`:${example.program('worker').pid}`) });
      await row.waitFor();
      expect(await row.getByRole('cell').allTextContents()).toEqual([
        expect.stringMatching(/:\d+$/),
        String(number),
        expect.stringMatching(/^\d+ s$/),
      ]);
    });
    for (const page of [first, second, scriptless]) await shows(page, 'Thank you!');
    expect(loaded).toEqual([]); // nobody asked for the page again: it was told
    await shows(watched, `0 waiting, ${before + 3} served`);
    expect(browser.errors).toEqual([]);
  });
});

test('Ctrl-C ends it with exit code 0 and leaves nothing', async () => {
  const programs = ['website', 'api', 'worker', 'monitor'].map((name) => example.program(name));
  expect(await example.stop()).toBe(0);
  for (const { url, pid } of programs) {
    await expect(fetch(url)).rejects.toThrow();
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  }
});
