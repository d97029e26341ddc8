// The facade as its README tells to run it, on the test servers: its services asked, killed and asked again.
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import type { RunningExample } from '../support/example.ts';
import { startExample } from '../support/example.ts';

let example: RunningExample;
const record = '.services/test/examples/facade/programs.json';

beforeAll(async () => {
  example = await startExample('facade');
});

afterAll(async () => {
  await example[Symbol.asyncDispose]();
});

interface Shown {
  logging: string[];
  messages: string[];
}

async function post(body: string): Promise<Response> {
  return await fetch(example.url, { method: 'POST', body });
}

async function show(): Promise<Shown> {
  const response = await fetch(example.url);
  expect(response.status).toBe(200);
  return (await response.json()) as Shown;
}

/** Of the services whose names begin so, as the example prints them. */
function services(kind: string): { url: string; pid: number }[] {
  return example.text.flatMap((line) => {
    const [, url = '', pid = ''] = new RegExp(`^ +${kind}-\\d +(\\S+) +\\(pid (\\d+)\\)`).exec(line) ?? [];
    return url === '' ? [] : [{ url, pid: Number(pid) }];
  });
}

async function readMemories(): Promise<string[][]> {
  return await Promise.all(
    services('messages').map(async ({ url }) => {
      const kept = (await (await fetch(`${url}/messages`)).json()) as { id: string }[];
      return kept.map(({ id }) => id);
    }),
  );
}

test('the commands of its README work as they stand there', async () => {
  const [posted = '', shown = ''] = await example.tryCommands();
  expect(posted).toMatch(/^HTTP\/1.1 202 [\s\S]*"id":"[0-9a-f-]{36}"/);
  expect(JSON.parse(shown)).toMatchObject({ logging: ['hello'], messages: expect.any(Array) });
  await eventually(show, ({ messages }) => messages.includes('hello'));
});

test('of 200 messages each is in the log once and in the memory of one messages-service once, with logging-services killed meanwhile', async () => {
  const before = new Set((await readMemories()).flat());
  const ids: string[] = [];
  const [one, other] = services('logging');
  for (let sent = 0; sent < 200; sent += 20) {
    if (sent === 60) process.kill(one?.pid ?? 0, 'SIGKILL'); // the example starts it again
    if (sent === 140) process.kill(other?.pid ?? 0, 'SIGKILL');
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => post(JSON.stringify({ msg: `message ${sent + n}` }))),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 202));
    for (const answer of answers) ids.push(((await answer.json()) as { id: string }).id);
  }
  const read = async () => (await readMemories()).flat().filter((id) => !before.has(id));
  const kept = await eventually(read, (found) => found.length >= ids.length);
  expect(kept.toSorted()).toEqual(ids.toSorted());
  const { logging } = await show();
  const logged = logging.filter((msg) => msg.startsWith('message '));
  expect(logged.toSorted()).toEqual(Array.from({ length: 200 }, (_, n) => `message ${n}`).toSorted());
});

test('a message that is logged by all three services stands in the log once', async () => {
  const body = JSON.stringify({ id: randomUUID(), msg: 'thrice' });
  for (const { url } of services('logging')) {
    // One that was killed may still be starting.
    const log = async () =>
      (await fetch(`${url}/log`, { method: 'POST', body }).catch(() => undefined))?.status;
    await eventually(log, (status) => status === 204);
  }
  const { logging } = await show();
  expect(logging.filter((msg) => msg === 'thrice')).toEqual(['thrice']);
});

test.each([
  ['{"msg": ""}', 422],
  ['{"message": "hello"}', 422],
  ['hello', 422],
  [JSON.stringify({ msg: 'x'.repeat(200_000) }), 413],
])('a body that is no message is refused: %.20s', async (body, status) => {
  expect((await post(body)).status).toBe(status);
});

test('Ctrl-C ends it with exit code 0 and leaves nothing', async () => {
  expect(existsSync(record)).toBe(true);
  expect(await example.stop()).toBe(0);
  expect(existsSync(record)).toBe(false);
  await expect(fetch(example.url)).rejects.toThrow();
});
