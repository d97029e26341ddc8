/**
 * The limits for people: what is in use, and what they are from now on.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Limits } from '#queue/gates/limits.ts';
import type { BodyBudget } from '../body-budget.ts';
import { deleteLimitRoute, limitRoute, limitsRoute, putLimitRoute, toLimit } from '../contract/limit.ts';
import { assertSameName } from '../contract/same-name.ts';
import { jsonBody } from '../request-body.ts';

/** Four numbers, three of them in an object. */
const BODY_LIMITS = { maxBytes: 1_024, maxValues: 16, maxDepth: 3 };

export interface LimitDependencies {
  limits: Limits;
  /** What the bodies under way may hold. */
  bodies: BodyBudget;
}

export function registerLimits(app: OpenAPIHono, { limits, bodies }: LimitDependencies): void {
  app.openapi(limitsRoute, async (c) => {
    return c.json({ limits: await limits.list() }, 200);
  });

  app.openapi(limitRoute, async (c) => {
    const { name } = c.req.valid('param');
    return c.json(await limits.find(name), 200);
  });

  app.put('/v1/limits/:name', jsonBody({ budget: bodies, ...BODY_LIMITS }));
  app.openapi(putLimitRoute, async (c) => {
    const { name } = c.req.valid('param');
    const given = c.req.valid('json');
    assertSameName(given.name, name);
    return c.json(await limits.put(name, toLimit(given)), 200);
  });

  app.openapi(deleteLimitRoute, async (c) => {
    const { name } = c.req.valid('param');
    return c.json((await limits.delete(name)) ?? null, 200);
  });
}
