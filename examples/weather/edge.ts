/**
 * The edge: takes reports in over HTTP and passes them on by gRPC. It knows the gateway's address and nothing else.
 */
import { randomUUID } from 'node:crypto';
import grpc from '@grpc/grpc-js';
import type { Context } from 'hono';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { routePath } from 'hono/route';
import { z } from 'zod';
import type { CountsShown } from './counts.ts';
import { createRegistry, edgeMetrics } from './metrics.ts';
import { report, reportId } from './report.ts';
import { WeatherClient } from './rpc.ts';
import { serveUntilStopped } from './serve.ts';
import { gatewayAddress } from './settings.ts';

const MAX_BODY_BYTES = 2_000_000;
const reports = z.array(report).min(1).max(1_000);

interface Problem {
  detail: string;
  errors?: { detail: string; pointer: string }[];
}

function problem(c: Context, status: 400 | 413 | 422 | 503, given: Problem): Response {
  const headers = {
    'content-type': 'application/problem+json',
    ...(status === 503 ? { 'retry-after': '1' } : {}),
  };
  return c.json({ status, ...given }, status, headers);
}

function wrong(c: Context, { issues }: z.ZodError): Response {
  const errors = issues.map(({ message, path }) => ({
    detail: message,
    pointer: path.map((part) => `/${String(part)}`).join(''),
  }));
  return problem(c, 422, { detail: 'the report is wrong', errors });
}

/** One report, or a list of them: under the caller's `Idempotency-Key` and each one's place, so that the same list sent again counts once. */
async function take(c: Context, client: WeatherClient): Promise<Response> {
  const key = reportId.optional().safeParse(c.req.header('idempotency-key'));
  if (!key.success) return wrong(c, key.error);
  let given: unknown;
  try {
    given = JSON.parse(await c.req.text());
  } catch (error) {
    return problem(c, 400, { detail: error instanceof Error ? error.message : String(error) });
  }
  const isList = Array.isArray(given);
  const checked = (isList ? reports : report).safeParse(given);
  if (!checked.success) return wrong(c, checked.error);
  const id = key.data ?? randomUUID();
  if (!Array.isArray(checked.data)) {
    const { jobId } = await client.report({ ...checked.data, id });
    return c.json({ id, jobId }, 202);
  }
  const replies = await client.reportMany(
    checked.data.map((each, index) => ({ ...each, id: `${id}:${index}` })),
  );
  const failed = replies.find(({ error }) => error !== '');
  if (failed?.refused) return problem(c, 422, { detail: failed.error });
  if (failed !== undefined)
    return problem(c, 503, { detail: `send all of them again with Idempotency-Key ${id}: ${failed.error}` });
  return c.json({ id, jobIds: replies.map(({ jobId }) => jobId) }, 202);
}

function isEqual(one: CountsShown, other: CountsShown): boolean {
  return one.total === other.total && differences(one.countries, other.countries).length === 0;
}

/** What the sides do not agree about: the counts of the first less those of the second. */
function differences(one: Record<string, number>, other: Record<string, number>): [string, number][] {
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])];
  return names
    .map((name): [string, number] => [name, (one[name] ?? 0) - (other[name] ?? 0)])
    .filter(([, difference]) => difference !== 0);
}

function createEdge(client: WeatherClient, duration: ReturnType<typeof edgeMetrics>): Hono {
  const app = new Hono();
  app.use(async (c, next) => {
    const end = duration.startTimer();
    await next();
    end({ route: routePath(c, -1), status: String(c.res.status) });
  });
  app.use(
    bodyLimit({
      maxSize: MAX_BODY_BYTES,
      onError: (c) => problem(c, 413, { detail: `at most ${MAX_BODY_BYTES} bytes` }),
    }),
  );
  app.post('/weather', (c) => take(c, client));
  app.get('/weather/counts', async (c) => {
    const { redis, valkey } = await client.counts();
    const difference = {
      countries: Object.fromEntries(differences(redis.countries, valkey.countries)),
      total: redis.total - valkey.total,
    };
    return c.json({ redis, valkey, equal: isEqual(redis, valkey), difference });
  });
  app.onError((error, c) => {
    const code = 'code' in error ? error.code : undefined;
    if (code === grpc.status.INVALID_ARGUMENT) return problem(c, 422, { detail: error.message });
    return problem(c, 503, { detail: `send it again with the same Idempotency-Key: ${error.message}` });
  });
  return app;
}

const registry = createRegistry();
const client = new WeatherClient(gatewayAddress());
serveUntilStopped({
  app: createEdge(client, edgeMetrics(registry)),
  registry,
  isReady: () =>
    client.counts().then(
      () => true,
      () => false,
    ),
  stop: async () => client[Symbol.dispose](),
});
