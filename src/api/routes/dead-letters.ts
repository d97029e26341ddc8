/**
 * Dead letters for people: looked at, sent again, deleted.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { DeadLetters } from '#queue/dead-letters.ts';
import {
  deadLettersRoute,
  deleteDeadLetterRoute,
  deleteDeadLettersRoute,
  resendDeadLetterRoute,
  resendDeadLettersRoute,
} from '../contract/dead-letter.ts';

export interface DeadLetterDependencies {
  deadLetters: DeadLetters;
}

export function registerDeadLetters(app: OpenAPIHono, { deadLetters }: DeadLetterDependencies): void {
  app.openapi(deadLettersRoute, async (c) => {
    const { total, deadLetters: found } = await deadLetters.list(c.req.valid('query'));
    const shown = found.map(({ at, ...letter }) => ({ ...letter, at: at?.toISOString() ?? null }));
    return c.json({ total, deadLetters: shown }, 200);
  });

  app.openapi(resendDeadLettersRoute, async (c) => c.json(await deadLetters.resend(), 200));
  app.openapi(deleteDeadLettersRoute, async (c) => c.json(await deadLetters.delete(), 200));
  app.openapi(resendDeadLetterRoute, async (c) =>
    c.json(await deadLetters.resend(c.req.valid('param')), 200),
  );
  app.openapi(deleteDeadLetterRoute, async (c) =>
    c.json(await deadLetters.delete(c.req.valid('param')), 200),
  );
}
