/**
 * The routes of the application that the API serves beside its own, and what they are given.
 */
import type { OpenAPIHono, RouteConfig } from '@hono/zod-openapi';
import type { Hono } from 'hono';
import type { Enqueuer } from '#queue/enqueue.ts';
import type { App, RouteTools } from '#shared/job/app.ts';
import { assertKnown } from '#shared/job/app.ts';
import type { JobDefinition } from '#shared/job/job.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { RouteAccess, RouteAccessTable } from './access/route-access.ts';

/** Of a route whose document says nothing of it. */
const DEFAULT_ACCESS: RouteAccess = { role: 'operator', isAudited: false, isPage: false };

export interface ApplicationDependencies {
  database: Database;
  enqueuer: Enqueuer;
  /** Undefined: the API has its own routes alone. */
  application?: { app: App; services: unknown } | undefined;
}

export function registerApplication(
  hono: OpenAPIHono,
  access: RouteAccessTable,
  { database, enqueuer, application }: ApplicationDependencies,
): void {
  if (application?.app.routes === undefined) return;
  const { app, services } = application;
  const tools: RouteTools = {
    services,
    enqueue: (definition, args, options) => {
      assertKnown(app, definition as JobDefinition);
      return enqueuer.enqueue({ ...options, definition: definition as JobDefinition, args });
    },
    query: (statement, waitedMs = 0) => database.query(statement, database.deadlineAfter(waitedMs)),
    traceOf: (c) => c.get('trace') ?? {},
    document: (route) =>
      hono.openAPIRegistry.registerPath({ 'x-role': DEFAULT_ACCESS.role, ...route } as RouteConfig),
  };
  const before = hono.routes.length;
  app.routes?.(hono as unknown as Hono, tools); // differs in the type of what the server hands on, which is ours
  access.setDefault(hono.routes.slice(before), DEFAULT_ACCESS);
}
