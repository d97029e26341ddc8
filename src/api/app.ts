/**
 * The API as a value: every route on one Hono app, without a socket. Tests call `app.request(…)`.
 *
 * Health is open, the guard comes next; everything behind it declares in its contract who may use it.
 */
import { OpenAPIHono } from '@hono/zod-openapi';
import { problemResponse } from '#shared/http/problem-response.ts';
import type { Events } from '#shared/observe/events.ts';
import { guard } from './access/guard.ts';
import { RouteAccessTable } from './access/route-access.ts';
import type { Sessions } from './access/sessions.ts';
import type { ApplicationDependencies } from './application-routes.ts';
import { registerApplication } from './application-routes.ts';
import { answerErrors, refuseInvalid } from './problem.ts';
import { tellOfRequests } from './request-events.ts';
import { identifiedTrace } from './request-trace.ts';
import type { DocsDependencies } from './routes/docs.ts';
import { registerDocs } from './routes/docs.ts';
import type { HealthDependencies, MetricsDependencies } from './routes/health.ts';
import { registerHealth, registerMetrics } from './routes/health.ts';
import type { JobControlDependencies } from './routes/job-control.ts';
import { registerJobControl } from './routes/job-control.ts';
import type { JobDependencies } from './routes/jobs.ts';
import { registerJobs } from './routes/jobs.ts';
import type { QueueDependencies } from './routes/queues.ts';
import { registerQueues } from './routes/queues.ts';
import { registerSignIn } from './routes/sign-in.ts';
import { answerUnrouted } from './unrouted.ts';

export type AppDependencies = HealthDependencies &
  MetricsDependencies &
  ApplicationDependencies &
  JobDependencies &
  JobControlDependencies &
  QueueDependencies &
  DocsDependencies & {
    events: Events;
    sessions: Sessions;
    /** The `Host` headers that are answered, beside those of this machine. Undefined: all. */
    hosts?: ReadonlySet<string> | undefined;
  };

export function createApp(dependencies: AppDependencies): OpenAPIHono {
  const { events, tokens, sessions, hosts } = dependencies;
  const app = new OpenAPIHono({ defaultHook: refuseInvalid });
  app.onError(answerErrors(events));
  app.use(tellOfRequests(events));
  registerHealth(app, dependencies);
  const routes = new RouteAccessTable(app);
  app.use(guard({ events, tokens, sessions, hosts, routes }));
  registerApplication(app, routes, dependencies); // first: its routes are the busiest
  registerJobs(app, dependencies);
  registerJobControl(app, dependencies);
  registerQueues(app, dependencies);
  registerMetrics(app, dependencies);
  registerDocs(app, dependencies);
  registerSignIn(app, { events, tokens, sessions, routes });
  routes.assertDeclared();
  app.notFound(answerUnrouted(app.routes));
  return app;
}

/** What answers until the database's schema was seen and the application's services are there: health, and 503 to everything else. */
export function createStartingApp(
  dependencies: HealthDependencies & Pick<AppDependencies, 'events'>,
): OpenAPIHono {
  const { events } = dependencies;
  const app = new OpenAPIHono();
  app.onError(answerErrors(events));
  app.use(tellOfRequests(events));
  registerHealth(app, dependencies);
  app.notFound((c) => {
    const detail = 'the API is starting: it waits for the database, or for the services of the application';
    events.publish('request.unavailable', { ...identifiedTrace(c), code: 'starting', error: detail });
    return problemResponse(503, { detail, code: 'starting', headers: { 'retry-after': '1' } });
  });
  return app;
}
