// The message service as its README tells to run it, on the test servers.
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import type { RunningExample } from '../support/example.ts';
import { startExample } from '../support/example.ts';

let example: RunningExample;
const record = '.services/test/examples/messages/programs.json';

beforeAll(async () => {
  example = await startExample('messages');
});

afterAll(async () => {
  await example[Symbol.asyncDispose]();
});

interface Page {
  messages: { id: string; sender: string; ts: string; priority: number }[];
  nextCursor: string | null;
}

const message = { ts: '20240229', sender: 'grace', sent_from_ip: '2001:db8::7', messageAttributes: { a: 1 } };

async function publish(body: object | string): Promise<Response> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return await fetch(`${example.url}/message/publish`, { method: 'POST', body: text });
}

async function list(query: string): Promise<Page> {
  const response = await fetch(`${example.url}/message?${query}`);
  expect(response.status).toBe(200);
  return (await response.json()) as Page;
}

test('the commands of its README work as they stand there', async () => {
  const [published = '', , , wrong = ''] = await example.tryCommands();
  expect(published).toMatch(/^HTTP\/1.1 202 /);
  expect(JSON.parse(wrong)).toMatchObject({
    status: 400,
    detail: "Expected ',' or '}' after property value in JSON at position 18 (line 1 column 19)",
  });
  await eventually(
    () => list('sender=ada'),
    ({ messages }) => messages.length === 1,
  );
  const stored = await (await fetch(`${example.url}/message/1`)).json();
  expect(stored).toMatchObject({ id: '1', sender: 'ada', ts: '2024-01-31T00:00:00Z', priority: 5 });
});

test('a comma that is missing is told by its line and column', async () => {
  const sample = JSON.stringify({ ...message, priority: 3 }, undefined, 2).replace('"grace",', '"grace"');
  const response = await publish(sample);
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ detail: expect.stringMatching(/\(line 4 column 3\)$/) });
});

test('what is published is stored once, and listed by pages, the newest first', async () => {
  const answers = await Promise.all(Array.from({ length: 25 }, () => publish(message)));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
  const ids = await Promise.all(answers.map(async (answer) => ((await answer.json()) as { id: string }).id));
  await eventually(
    () => list('sender=grace&limit=200'),
    ({ messages }) => messages.length === ids.length,
  );
  const first = await list('sender=grace&limit=20');
  const second = await list(`sender=grace&limit=20&cursor=${first.nextCursor}`);
  expect(second.nextCursor).toBeNull();
  const listed = [...first.messages, ...second.messages].map(({ id }) => id);
  expect(listed).toEqual(ids.toSorted((one, other) => Number(other) - Number(one)));
});

test.each([
  ['a day that is none', { ...message, ts: '20230229' }, '/ts'],
  ['an address that is none', { ...message, sent_from_ip: '192.0.2.256' }, '/sent_from_ip'],
  ['a priority above 9', { ...message, priority: 10 }, '/priority'],
])('%s is refused by its place', async (_, body, pointer) => {
  const response = await publish(body);
  expect(response.status).toBe(422);
  expect(await response.json()).toMatchObject({ errors: [{ pointer }] });
});

test('Ctrl-C ends it with exit code 0 and leaves nothing', async () => {
  expect(existsSync(record)).toBe(true);
  expect(await example.stop()).toBe(0);
  expect(existsSync(record)).toBe(false);
  await expect(fetch(example.url)).rejects.toThrow();
});
