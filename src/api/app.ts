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
import type { DashboardDependencies } from './dashboard/dashboard.ts';
import { registerDashboard } from './dashboard/dashboard.ts';
import { answerErrors, refuseInvalid } from './problem.ts';
import { tellOfRequests } from './request-events.ts';
import { carryBaggage, identifiedTrace } from './request-trace.ts';
import type { AuditDependencies } from './routes/audit.ts';
import { registerAudit } from './routes/audit.ts';
import type { BatchDependencies } from './routes/batches.ts';
import { registerBatches } from './routes/batches.ts';
import type { DeadLetterDependencies } from './routes/dead-letters.ts';
import { registerDeadLetters } from './routes/dead-letters.ts';
import type { DocsDependencies } from './routes/docs.ts';
import { registerDocs } from './routes/docs.ts';
import type { EventDependencies } from './routes/events.ts';
import { registerEvents } from './routes/events.ts';
import type { HealthDependencies, MetricsDependencies } from './routes/health.ts';
import { registerHealth, registerMetrics } from './routes/health.ts';
import type { JobControlDependencies } from './routes/job-control.ts';
import { registerJobControl } from './routes/job-control.ts';
import type { TypeDependencies } from './routes/job-types.ts';
import { registerTypes } from './routes/job-types.ts';
import type { JobDependencies } from './routes/jobs.ts';
import { registerJobs } from './routes/jobs.ts';
import type { LimitDependencies } from './routes/limits.ts';
import { registerLimits } from './routes/limits.ts';
import type { QueueDependencies } from './routes/queues.ts';
import { registerQueues } from './routes/queues.ts';
import type { ScheduleDependencies } from './routes/schedules.ts';
import { registerSchedules } from './routes/schedules.ts';
import { registerSignIn } from './routes/sign-in.ts';
import type { WorkerDependencies } from './routes/workers.ts';
import { registerWorkers } from './routes/workers.ts';
import { answerUnrouted } from './unrouted.ts';

export type AppDependencies = HealthDependencies &
  MetricsDependencies &
  ApplicationDependencies &
  JobDependencies &
  JobControlDependencies &
  QueueDependencies &
  TypeDependencies &
  ScheduleDependencies &
  LimitDependencies &
  EventDependencies &
  WorkerDependencies &
  AuditDependencies &
  DeadLetterDependencies &
  BatchDependencies &
  DashboardDependencies &
  DocsDependencies & {
    events: Events;
    sessions: Sessions;
    /** The `Host` headers that are answered, beside those of this machine. Undefined: all. */
    hosts?: ReadonlySet<string> | undefined;
  };

export function createApp(dependencies: AppDependencies): OpenAPIHono {
  const { events, enqueuer, audit, tokens, sessions, hosts } = dependencies;
  const app = new OpenAPIHono({ defaultHook: refuseInvalid });
  app.onError(answerErrors(events));
  app.use(tellOfRequests(events));
  registerHealth(app, dependencies);
  if (enqueuer.carriesBaggage) app.use(carryBaggage);
  const routes = new RouteAccessTable(app);
  app.use(guard({ events, audit, tokens, sessions, hosts, routes }));
  registerApplication(app, routes, dependencies); // first: its routes are the busiest
  registerJobs(app, dependencies);
  registerJobControl(app, dependencies);
  registerQueues(app, dependencies);
  registerTypes(app, dependencies);
  registerSchedules(app, dependencies);
  registerLimits(app, dependencies);
  registerEvents(app, dependencies);
  registerWorkers(app, dependencies);
  registerAudit(app, dependencies);
  registerDeadLetters(app, dependencies);
  registerBatches(app, dependencies);
  registerMetrics(app, dependencies);
  registerDocs(app, dependencies);
  registerDashboard(app, routes, dependencies);
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
