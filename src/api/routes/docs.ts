/**
 * The OpenAPI 3.1 document of every route, and a page for people made from it.
 *
 * Both are made once, at the first request, when every route is registered. The page loads nothing and runs nothing (strict CSP).
 */
import { createHash } from 'node:crypto';
import type { OpenAPIHono } from '@hono/zod-openapi';
import { z } from '@hono/zod-openapi';
import type { JobDefinition } from '#shared/job.ts';
import { docsRoute, openapiRoute } from '../contract/docs.ts';
import type { ApiDocument, JobTypeDescription } from '../docs-page.ts';
import { pageStyle, renderDocsPage } from '../docs-page.ts';

export interface DocsDependencies {
  definitions: ReadonlyMap<string, JobDefinition>;
  /** Without it every route is open. */
  apiToken?: string | undefined;
}

const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(pageStyle).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

export function registerDocs(app: OpenAPIHono, { definitions, apiToken }: DocsDependencies): void {
  if (apiToken !== undefined) {
    app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', { type: 'http', scheme: 'bearer' });
  }
  let document: ApiDocument | undefined;
  const getDocument = () => {
    document ??= {
      ...app.getOpenAPI31Document({
        openapi: '3.1.0',
        info: {
          title: 'Warren',
          version: '1',
          description: 'A job queue: Postgres is the truth, RabbitMQ carries hints.',
        },
        ...(apiToken !== undefined && { security: [{ bearer: [] }] }),
      }),
      'x-job-types': [...definitions.values()].map(describeJobType),
    };
    return document;
  };
  let page: string | undefined;

  app.openapi(openapiRoute, (c) => c.json(getDocument(), 200));

  app.openapi(docsRoute, async (c) => {
    page ??= await renderDocsPage(getDocument());
    return c.body(page, 200, PAGE_HEADERS);
  });
}

function describeJobType({ type, queue, maxAttempts, timeoutMs, args }: JobDefinition): JobTypeDescription {
  const schema = z.toJSONSchema(args, { io: 'input', unrepresentable: 'any' });
  return { type, queue, maxAttempts, timeoutMs, args: schema };
}
