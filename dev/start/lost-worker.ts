// Kills a worker while jobs run in it, and measures how soon each of them runs again elsewhere: from the signal to its second request at the
// webhook receiver, both on the clock of this process.
import postgres from 'postgres';

import { waitUntil } from '../wait-until.ts';
import type { ApiClient, Job } from './api-client.ts';
import { enqueue, followJob } from './api-client.ts';
import type { Program } from './programs.ts';
import type { WebhookReceiver } from './webhook-receiver.ts';

export type LostWorkerOptions = {
  readonly client: ApiClient;
  readonly databaseUrl: string;
  readonly hasBroker: boolean;
  readonly workers: readonly Program[];
  readonly receiver: WebhookReceiver;
  readonly log: (line: string) => void;
};

const withoutBroker =
  '\n  Without RabbitMQ, whose redelivery tells of a death at once, a worker counts as dead when its lock has been free for two seconds.';
const jobCount = 6;
const startTimeoutMs = 30_000;
const takeoverTimeoutMs = 30_000;

export async function loseWorker(options: LostWorkerOptions): Promise<{ jobs: Job[]; summary: string }> {
  const { client, receiver, log } = options;
  const { signal } = client;
  const ids: string[] = [];
  const url = `${receiver.url}/held`;
  for (let count = 0; count < jobCount; count += 1)
    ids.push(await enqueue(client, { type: 'deliver-webhook', args: { url, method: 'POST' } }));
  const { worker, orphans } = await waitUntil({
    what: 'jobs that run in the workers',
    check: async () => findBusiestWorker(options, ids),
    timeoutMs: startTimeoutMs,
    log,
    signal,
  });
  log(`killing ${worker.program.name} (kill -9 ${worker.program.pid}) while ${count(orphans.length)} in it`);
  const killedAt = performance.now();
  const { pid } = worker.program;
  worker.program.kill();
  const restarts = await waitUntil({
    what: `the jobs of ${worker.program.name} to run again`,
    check: () => findRestarts(receiver, orphans, killedAt),
    timeoutMs: takeoverTimeoutMs,
    log,
    signal,
  });
  receiver.letGo();
  await waitUntil({
    what: `${worker.program.name} to be started again`,
    check: () => worker.program.pid !== pid || undefined,
    timeoutMs: startTimeoutMs,
    log,
    signal,
  });
  const times = restarts.map((ms) => `${Math.round(ms)} ms`).join(', ');
  return {
    jobs: await Promise.all(ids.map(async (id) => followJob(client, id))),
    summary: `  ${worker.program.name} was killed while ${count(orphans.length)} in it. They ran elsewhere after ${times}.${options.hasBroker ? '' : withoutBroker}`,
  };
}

/** The worker with the most of these jobs, once all of them run; undefined before. */
async function findBusiestWorker(
  { databaseUrl, workers, receiver }: LostWorkerOptions,
  ids: readonly string[],
): Promise<{ worker: Program; orphans: string[] } | undefined> {
  if (receiver.held.length < ids.length) return undefined;
  const owners = await findOwners(databaseUrl, ids);
  if (owners.length < ids.length) return undefined;
  const candidates = workers.map((worker) => {
    // Connections are named `warren-worker@<host>:<pid>`.
    const own = owners.filter(({ name }) => name.endsWith(`:${worker.program.pid}`));
    return { worker, orphans: own.map(({ id }) => id) };
  });
  const [busiest] = candidates.toSorted((one, other) => other.orphans.length - one.orphans.length);
  if (busiest === undefined || busiest.orphans.length === 0)
    throw new Error('the jobs run in workers that this command did not start');
  return busiest;
}

async function findOwners(
  databaseUrl: string,
  ids: readonly string[],
): Promise<readonly { id: string; name: string }[]> {
  const sql = postgres(databaseUrl, {
    max: 1,
    connect_timeout: 5,
    connection: { application_name: 'warren-start' },
  });
  try {
    return await sql<{ id: string; name: string }[]>`
      select job.id::text as id, worker.name
      from warren.jobs job
      join warren.workers worker on worker.owner = job.owner
      where job.id = any(${`{${ids.join(',')}}`}::bigint[]) and job.state = 'running'`;
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** Milliseconds from the kill to the next request of each orphan; undefined until every one has come. */
function findRestarts(
  receiver: WebhookReceiver,
  orphans: readonly string[],
  killedAt: number,
): number[] | undefined {
  const restarts = orphans.flatMap((id) => {
    const again = receiver.held.find(({ webhookId, arrivedAt }) => webhookId === id && arrivedAt > killedAt);
    return again === undefined ? [] : [again.arrivedAt - killedAt];
  });
  return restarts.length === orphans.length ? restarts.toSorted((one, other) => one - other) : undefined;
}

function count(jobs: number): string {
  return jobs === 1 ? '1 job ran' : `${jobs} jobs ran`;
}
