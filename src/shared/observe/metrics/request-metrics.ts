/**
 * HTTP requests and gRPC calls, by the names that OpenTelemetry's conventions give them. The route is the pattern, never the path; the method is one of
 * HTTP's, or one that the gRPC server has.
 */
import type { Registry } from '@prometheus-io/client';
import { Histogram } from '@prometheus-io/client';
import type { Events } from '../events.ts';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function observeRequests(registry: Registry, events: Events): (() => void)[] {
  const duration = new Histogram({
    name: 'http_server_request_duration_seconds',
    help: 'Time from the arrival of an HTTP request to its answer, by method, route and status.',
    labelNames: ['method', 'route', 'status'],
    buckets: SECONDS,
    registers: [registry],
  });
  const rpcDuration = new Histogram({
    name: 'rpc_server_duration_seconds',
    help: 'Time from the arrival of a gRPC call to its end, by method and status.',
    labelNames: ['method', 'code'],
    buckets: SECONDS,
    registers: [registry],
  });
  return [
    events.subscribe('rpc.finished', ({ method, code, durationMs }) =>
      rpcDuration.observe({ method, code }, durationMs / 1_000),
    ),
    events.subscribe('request.finished', ({ method, route, status, durationMs }) =>
      duration.observe({ method, route, status }, durationMs / 1_000),
    ),
  ];
}
