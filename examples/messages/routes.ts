/**
 * The service's HTTP face: publish a message, list them, read one.
 */
import type { Context, Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { RouteTools } from 'warren/app';
import { InvalidInput, NotFound } from 'warren/app';
import { z } from 'zod';
import { publishedMessage } from './message.ts';
import { findMessage, listMessages } from './messages.ts';
import { storeMessage } from './store-message.ts';

const MAX_BODY_CHARACTERS = 100_000;
const ID = /^\d{1,18}$/;

const page = z.object({
  sender: z.string().optional(),
  cursor: z.string().regex(ID, 'must be the nextCursor of a page').optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
});

export function registerRoutes(app: Hono, { enqueue, query, traceOf, document }: RouteTools): void {
  app.post('/message/publish', async (c) => {
    const { priority, ...message } = check(publishedMessage, await readJson(c));
    const { job } = await enqueue(storeMessage, { ...message, priority }, { ...traceOf(c), priority });
    return c.json({ id: job.id }, 202, { location: `/message/${job.id}` });
  });

  app.get('/message', async (c) => {
    const { sender, cursor: before, limit } = check(page, c.req.query());
    const messages = await query((sql) => listMessages(sql, { sender, before, limit: limit + 1 }));
    const shown = messages.slice(0, limit);
    return c.json({ messages: shown, nextCursor: messages.length > limit ? shown.at(-1)?.id : null });
  });

  app.get('/message/:id', async (c) => {
    const id = c.req.param('id');
    const message = ID.test(id) ? await query((sql) => findMessage(sql, id)) : undefined;
    if (message === undefined)
      throw new NotFound(`there is no message ${id.slice(0, 40)}, or it is not stored yet`);
    return c.json(message);
  });

  document({
    method: 'post',
    path: '/message/publish',
    summary: 'Publishes a message: it is stored soon',
    responses: { 202: { description: 'It is accepted; `id` is where it will be' } },
  });
  for (const path of ['/message', '/message/{id}'])
    document({
      method: 'get',
      path,
      'x-role': 'viewer',
      responses: { 200: { description: 'What is stored' } },
    });
}

/** The error says where the JSON is broken: at a comma that is missing, by line and column; at a character that does not belong there, by what surrounds it. */
async function readJson(c: Context): Promise<unknown> {
  const text = await c.req.text();
  if (text.length > MAX_BODY_CHARACTERS)
    throw new HTTPException(413, { message: `a message must not exceed ${MAX_BODY_CHARACTERS} characters` });
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new HTTPException(400, { message: error instanceof Error ? error.message : String(error) });
  }
}

function check<Schema extends z.ZodType>(schema: Schema, given: unknown): z.output<Schema> {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ message, path }) => ({
    detail: message,
    pointer: path.map((part) => `/${String(part)}`).join(''),
  }));
  throw new InvalidInput('invalid_message', 'the request is wrong', issues);
}
