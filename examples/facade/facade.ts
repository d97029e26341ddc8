/**
 * The facade, the only service that clients know: gives a message its id, has it logged, puts it on the queue; shows what was logged and what was read.
 */
import { randomUUID } from 'node:crypto';
import type { Context } from 'hono';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { HTTPException } from 'hono/http-exception';
import { Warren } from 'warren';
import { keepMessage, app as queue } from './app.ts';
import type { Message } from './message.ts';
import { newMessage } from './message.ts';
import { askOneOf } from './one-of.ts';
import { serveUntilStopped } from './serve.ts';
import { readAddresses, servers } from './settings.ts';

const MAX_BODY_BYTES = 100_000;
const { logging, messages } = readAddresses();
const warren = new Warren({ app: queue, ...servers(), log: 'warn' });
const app = new Hono();

app.post('/', bodyLimit({ maxSize: MAX_BODY_BYTES }), async (c) => {
  const given = newMessage.safeParse(await c.req.json().catch(() => undefined));
  if (!given.success) return problem(c, 422, 'the body must be {"msg": "…"}, a text of 1 to 4000 characters');
  const message: Message = { id: randomUUID(), ...given.data };
  const body = JSON.stringify(message);
  // Before it is queued: whoever reads it from the queue finds it in the log.
  await askOneOf(logging, '/log', { method: 'POST', body });
  await warren.enqueue(keepMessage, message);
  return c.json({ id: message.id }, 202);
});

app.get('/', async (c) => {
  const [logged, read] = await Promise.all([texts(logging, '/log'), texts(messages, '/messages')]);
  return c.json({ logging: logged, messages: read });
});

app.onError((error, c) =>
  error instanceof HTTPException ? error.getResponse() : problem(c, 503, error.message),
);

async function texts(urls: readonly string[], path: string): Promise<string[]> {
  const found = (await (await askOneOf(urls, path)).json()) as Message[];
  return found.map(({ msg }) => msg);
}

function problem(c: Context, status: 422 | 503, detail: string): Response {
  return c.json({ status, detail }, status, { 'content-type': 'application/problem+json' });
}

serveUntilStopped({ app, start: () => warren.start(), stop: () => warren.stop() });
