/**
 * The record of who did what, for those who may read it.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Audit } from '#queue/audit.ts';
import { auditRoute } from '../contract/audit.ts';

export interface AuditDependencies {
  audit: Audit;
}

export function registerAudit(app: OpenAPIHono, { audit }: AuditDependencies): void {
  app.openapi(auditRoute, async (c) => {
    const { entries, nextCursor } = await audit.list(c.req.valid('query'));
    const shown = entries.map(({ at, address: from, detail, ...entry }) => ({
      ...entry,
      at: at.toISOString(),
      from,
      detail: { ...detail },
    }));
    return c.json({ entries: shown, nextCursor }, 200);
  });
}
