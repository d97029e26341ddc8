// `npm run bench:weather`: the load of the weather's document on examples/weather, with one replica of what takes requests (edge, gateway, API) and with two.
// Users come five a second until there are fifty; each sends its next report when the last one is answered.
// Guarantees: both sides have counted every report that was answered, or it fails. Servers are its own.
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readEnvironment } from '../../dev/environment.ts';
import { planExample, readExample } from '../../dev/example/programs-file.ts';
import { freePorts } from '../../dev/free-port.ts';
import { ProcessRecord } from '../../dev/process-record.ts';
import type { Services } from '../../dev/services.ts';
import { startServices } from '../../dev/services.ts';
import type { ProgramPlan } from '../../dev/start/programs.ts';
import { startPrograms } from '../../dev/start/programs.ts';
import { runUntilStopped } from '../../dev/stop-signals.ts';
import { migrate } from '../../src/shared/postgres/migrate/migrate.ts';
import { loadApp } from '../../src/shared/program/load-app.ts';
import { percentile } from '../report/statistics.ts';
import { readOptions } from '../stage/command-line.ts';

const options = readOptions({
  name: 'npm run bench:weather',
  about: 'Plays the load of its document on the example weather: one replica against two.',
  defaults: { seconds: '120', users: '50', step: '5' },
  meanings: {
    seconds: 'how long each load takes, its growth included',
    users: 'how many there are in the end',
    step: 'how many come each second',
  },
});
const [seconds, users, step] = [Number(options.seconds), Number(options.users), Number(options.step)];
const folder = resolve(import.meta.dirname, '../../.services/bench-weather');
const log = (line: string) => process.stderr.write(`${line}\n`);
const REPORT = JSON.stringify({ description: 'It rains cats and dogs', country: 'GT', weather: 'rainy' });
const COUNT_TIMEOUT_MS = 60_000;
const REQUEST_TIMEOUT_MS = 30_000;
/** What is held against the document's replicas. */
const REPLICATED = ['edge', 'gateway', 'api'];

interface Measured {
  replicas: number;
  perSecond: number;
  p50Ms: number;
  p95Ms: number;
  failed: number;
}

/** The plans of the example, with as many of each replicated program as wanted. Edges and gateways find all that they ask. */
async function planReplicas(replicas: number): Promise<ProgramPlan[]> {
  const [port = 0, ...ports] = await freePorts(1 + (replicas - 1) * REPLICATED.length * 2);
  const plans = await planExample(readExample('weather'), port);
  const all = plans.flatMap((plan) => {
    const more = REPLICATED.includes(plan.name) ? replicas - 1 : 0;
    return [
      plan,
      ...Array.from({ length: more }, (_, index) => {
        const [own = 0, grpc = 0] = ports.splice(0, 2);
        const env = {
          ...plan.env,
          PORT: String(own),
          ...('GRPC_PORT' in plan.env ? { GRPC_PORT: String(grpc) } : {}),
        };
        return { ...plan, name: `${plan.name}-${index + 2}`, port: own, env };
      }),
    ];
  });
  const addresses = (name: string) => {
    const found = all
      .filter((plan) => plan.name.startsWith(name))
      .map(({ env }) => `127.0.0.1:${env['GRPC_PORT']}`);
    return `ipv4:${found.join(',')}`;
  };
  const shared = { GATEWAY_GRPC: addresses('gateway'), API_GRPC: addresses('api') };
  return all.map((plan) => ({ ...plan, env: { ...plan.env, ...shared } }));
}

/** All users from the first to come to the end. What is answered once all are there is measured. */
async function load(urls: readonly string[], replicas: number): Promise<Measured> {
  const startedAt = performance.now();
  const growthMs = (users / step) * 1_000;
  const answers = await Promise.all(
    Array.from({ length: users }, async (_, user) => {
      await sleep(Math.floor(user / step) * 1_000);
      return await report(`${urls[user % urls.length]}/weather`, startedAt + seconds * 1_000);
    }),
  );
  const all = answers.flat();
  const accepted = all.filter(({ isAccepted }) => isAccepted);
  log(`${replicas}: ${accepted.length} accepted of ${all.length}`);
  await awaitCounts(urls[0] ?? '', accepted.length);
  const times = accepted.filter(({ at }) => at - startedAt >= growthMs).map(({ ms }) => ms);
  return {
    replicas,
    perSecond: times.length / (seconds - growthMs / 1_000),
    p50Ms: percentile(times, 50),
    p95Ms: percentile(times, 95),
    failed: all.length - accepted.length,
  };
}

interface Answer {
  at: number;
  ms: number;
  isAccepted: boolean;
}

/** One user: the next report when the last one is answered. */
async function report(url: string, until: number): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let at = performance.now(); at < until; at = performance.now()) {
    const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    const status = await fetch(url, { method: 'POST', body: REPORT, signal }).then(
      async (response) => {
        await response.text();
        return response.status;
      },
      () => 0,
    );
    answers.push({ at, ms: performance.now() - at, isAccepted: status === 202 });
  }
  return answers;
}

/** The reports of the load before are among them. A report whose answer came after its user had gone is counted, too. */
async function awaitCounts(url: string, atLeast: number): Promise<void> {
  const deadline = performance.now() + COUNT_TIMEOUT_MS;
  for (;;) {
    const { equal, redis } = (await (await fetch(`${url}/weather/counts`)).json()) as {
      equal: boolean;
      redis: { total: number };
    };
    if (equal && redis.total >= atLeast) {
      log(`both sides have counted ${redis.total}`);
      return;
    }
    if (performance.now() > deadline) throw new Error('the sides do not agree');
    await sleep(500);
  }
}

async function measure(replicas: number, services: Services, signal: AbortSignal): Promise<Measured> {
  const { databaseUrl, amqpUrl, keyValueUrls } = services;
  const app = join(readExample('weather').folder, 'app.ts');
  await using started = new AsyncDisposableStack();
  const record = await ProcessRecord.claim({ file: join(folder, 'programs.json'), log });
  started.defer(() => record.release());
  await migrate({ databaseUrl, app: await loadApp(app) });
  const env = {
    ...readEnvironment().inherited,
    DATABASE_URL: databaseUrl,
    AMQP_URL: amqpUrl,
    REDIS_URL: keyValueUrls.redis ?? '',
    VALKEY_URL: keyValueUrls.valkey ?? '',
    WARREN_APP: app,
    LOG_LEVEL: 'warn',
  };
  const plans = await planReplicas(replicas);
  const { programs } = started.use(await startPrograms({ plans, env, record, log, signal }));
  const edges = programs.filter(({ name }) => name.startsWith('edge')).map(({ url }) => url);
  return await load(edges, replicas);
}

await runUntilStopped(async ({ stopping, killers }) => {
  await using services = await startServices({
    folder,
    keepData: false,
    also: ['redis', 'valkey'],
    log,
    signal: stopping,
  });
  killers.push(() => services.kill());
  const measured = [await measure(1, services, stopping), await measure(2, services, stopping)];
  const rows = measured.map(
    ({ replicas, perSecond, p50Ms, p95Ms, failed }) =>
      `| ${replicas} | ${Math.round(perSecond)} | ${p50Ms.toFixed(0)} ms | ${p95Ms.toFixed(0)} ms | ${failed} |`,
  );
  const head =
    '| replicas | requests per second | median | 95th percentile | failed |\n|---|---:|---:|---:|---:|';
  process.stdout.write(`${head}\n${rows.join('\n')}\n`);
});
