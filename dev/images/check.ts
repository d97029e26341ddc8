// Starts the images for real, with Postgres and RabbitMQ beside them: the migration, then the API and a worker. The proof is a job that comes in
// over HTTP at the one container and is completed by the other, and that both end at SIGTERM with exit code 0.
import { seedOrders } from '../../examples/shop/orders.ts';
import { doOneJob } from '../container/one-job.ts';
import { freePorts } from '../free-port.ts';
import { startServices } from '../services.ts';
import { waitUntil } from '../wait-until.ts';
import type { Runner } from './containers.ts';
import { Container } from './containers.ts';

export type CheckOptions = {
  readonly runner: Runner;
  readonly images: { readonly api: string; readonly worker: string };
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
};

const servicesFolder = '.services/images';
const memory = '256m';
const migrateTimeoutMs = 60_000;
const readyTimeoutMs = 60_000;
const jobTimeoutMs = 30_000;
const requestTimeoutMs = 5_000;

export async function checkImages({ runner, images, log, signal }: CheckOptions): Promise<void> {
  await using services = await startServices({ folder: servicesFolder, log, keepData: false, signal });
  const { databaseUrl, amqpUrl } = services;
  const [apiPort = 0, healthPort = 0] = await freePorts(2);
  const env = {
    DATABASE_URL: databaseUrl,
    AMQP_URL: amqpUrl,
    HOST: '0.0.0.0',
    API_TOKEN: 'check',
    PORT: String(apiPort),
    WORKER_HEALTH_PORT: String(healthPort),
  };
  await using containers = new AsyncDisposableStack();
  const start = async (program: 'api' | 'worker', command?: readonly string[]) => {
    const name = `warren-check-${process.pid}-${command === undefined ? program : 'migrate'}`;
    const options = { runner, image: images[program], name, env, memory };
    const container = await Container.start(command === undefined ? options : { ...options, command });
    containers.defer(async () => container.remove());
    return container;
  };

  const migration = await start('worker', ['node', 'dev/container/migrate.ts']);
  const code = await migration.ended(migrateTimeoutMs);
  if (code !== 0) throw new Error(`the migration ended with ${code}:\n${await migration.logs()}`);
  await seedOrders({ databaseUrl });
  const api = await start('api');
  const worker = await start('worker');
  await ready({ what: 'the API', url: `http://127.0.0.1:${apiPort}/readyz`, container: api, signal });
  await ready({
    what: 'the worker',
    url: `http://127.0.0.1:${healthPort}/readyz`,
    container: worker,
    signal,
  });
  log('GET /readyz of both: 200');
  for (const [program, container] of Object.entries({ api, worker })) {
    const { status } = await container.execute(['node', 'dev/container/healthcheck.ts', program]);
    if (status !== 0) throw new Error(`the health check of ${program} ended with ${status}`);
  }
  const apiUrl = `http://127.0.0.1:${apiPort}`;
  log(await doOneJob({ apiUrl, apiToken: env.API_TOKEN, timeoutMs: jobTimeoutMs, signal }));
  for (const [program, container] of Object.entries({ api, worker })) {
    const { code: exit, logs, stoppedAfterMs } = await container.stop();
    if (exit !== 0) throw new Error(`${program} ended with ${exit} at SIGTERM:\n${logs}`);
    log(`${program} ended with 0, ${Math.round(stoppedAfterMs)} ms after SIGTERM`);
  }
}

type ReadyOptions = { what: string; url: string; container: Container; signal: AbortSignal };

async function ready({ what, url, container, signal }: ReadyOptions): Promise<void> {
  try {
    await waitUntil({
      what,
      check: async () => {
        if (!(await container.isRunning())) throw new Error('its container has ended');
        return (await fetch(url, { signal: AbortSignal.timeout(requestTimeoutMs) })).ok ? true : undefined;
      },
      timeoutMs: readyTimeoutMs,
      intervalMs: 200,
      signal,
    });
  } catch (error) {
    throw new Error(`${what} did not get ready:\n${await container.logs()}`, { cause: error });
  }
}
