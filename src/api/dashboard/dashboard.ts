/**
 * The dashboard: pages for people on the same use cases as the routes of the API, served beside them.
 *
 * Guarantees: works without a script, but for what changes by itself; loads nothing from elsewhere; shows nobody a button that he may not press.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Audit } from '#queue/audit.ts';
import type { FindOverview } from '#queue/overview.ts';
import type { Events } from '#shared/observe/events.ts';
import type { AccessTokens } from '../access/access-tokens.ts';
import type { RouteAccessTable } from '../access/route-access.ts';
import { auditPage, readAuditFilter } from './audit-page.ts';
import type { FleetPagesDependencies } from './fleet.ts';
import { registerFleetPages } from './fleet.ts';
import type { JobPagesDependencies } from './jobs.ts';
import { registerJobPages } from './jobs.ts';
import { overviewPage } from './overview-page.ts';
import { Pages } from './pages.ts';

export interface DashboardDependencies extends JobPagesDependencies, FleetPagesDependencies {
  events: Events;
  tokens: AccessTokens;
  overview: FindOverview;
  audit: Audit;
}

export function registerDashboard(
  app: OpenAPIHono,
  routes: RouteAccessTable,
  dependencies: DashboardDependencies,
): void {
  const { events, tokens, overview, audit } = dependencies;
  const pages = new Pages({ app, routes, events, tokens });
  pages.assets();
  pages.get('/dashboard', async (viewer) => overviewPage(viewer, await overview()));
  registerJobPages(pages, dependencies);
  registerFleetPages(pages, dependencies);
  pages.getForAdmins('/dashboard/audit', async (viewer) =>
    auditPage(viewer, await audit.list(readAuditFilter(viewer.query))),
  );
}
