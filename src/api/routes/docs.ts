/**
 * The OpenAPI 3.1 document of every route, and a page for people made from it.
 *
 * Both are made once, at the first request, when every route is registered. The page loads nothing and runs nothing (strict CSP).
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import { argumentsJsonSchema } from '#shared/job/arguments.ts';
import type { JobDefinition } from '#shared/job/job.ts';
import type { AccessTokens } from '../access/access-tokens.ts';
import { SESSION_COOKIE } from '../access/guard.ts';
import { docsRoute, openapiRoute } from '../contract/docs.ts';
import type { ApiDocument, JobTypeDescription } from '../docs-page.ts';
import { pageStyle, renderDocsPage } from '../docs-page.ts';
import { pageHeaders } from '../page-headers.ts';

export interface DocsDependencies {
  definitions: ReadonlyMap<string, JobDefinition>;
  tokens: AccessTokens;
}

export function registerDocs(app: OpenAPIHono, { definitions, tokens }: DocsDependencies): void {
  if (!tokens.isOpen) {
    app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', { type: 'http', scheme: 'bearer' });
    app.openAPIRegistry.registerComponent('securitySchemes', 'session', {
      type: 'apiKey',
      in: 'cookie',
      name: SESSION_COOKIE,
    });
  }
  let document: ApiDocument | undefined;
  const getDocument = () => {
    document ??= withSecurity(tokens, {
      ...app.getOpenAPI31Document({
        openapi: '3.1.0',
        info: {
          title: 'Warren',
          version: '1',
          description: 'A job queue: Postgres is the truth, RabbitMQ carries hints.',
        },
      }),
      'x-job-types': [...definitions.values()].map(describeJobType),
    });
    return document;
  };
  let page: string | undefined;

  app.openapi(openapiRoute, (c) => c.json(getDocument(), 200));

  app.openapi(docsRoute, async (c) => {
    page ??= await renderDocsPage(getDocument());
    return c.body(page, 200, pageHeaders(pageStyle));
  });
}

/** Each operation with the role that it needs, where tokens are asked for. */
function withSecurity({ isOpen }: AccessTokens, document: ApiDocument): ApiDocument {
  if (isOpen) return document;
  for (const operations of Object.values(document.paths ?? {}))
    for (const operation of Object.values(operations as Record<string, DeclaredOperation>)) {
      const { 'x-role': role } = operation;
      operation.security = role === 'none' ? [] : [{ bearer: [role] }, { session: [role] }];
    }
  return document;
}

interface DeclaredOperation {
  'x-role': string;
  security?: Record<string, string[]>[];
}

function describeJobType({ type, queue, maxAttempts, timeoutMs, args }: JobDefinition): JobTypeDescription {
  return { type, queue, maxAttempts, timeoutMs, args: argumentsJsonSchema({ args }) };
}
