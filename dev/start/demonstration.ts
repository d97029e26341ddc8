// A few real jobs of every type through the HTTP API, one of which fails at first, and a worker that is killed while jobs run in it. Each job is
// followed to its end.
import type { ApiClient, Job, JobRequest } from './api-client.ts';
import { call, enqueue, followJob } from './api-client.ts';
import type { LostWorkerOptions } from './lost-worker.ts';
import { loseWorker } from './lost-worker.ts';

export type DemonstrationOptions = Omit<LostWorkerOptions, 'client'> & ApiClient;

/** Answers the table and what became of the killed worker's jobs; throws when a job did not come to `completed` in time. */
export async function demonstrate(options: DemonstrationOptions): Promise<string> {
  const { log, receiver } = options;
  const ids = await enqueueJobs(options, receiver.url);
  log(`enqueued ${ids.length} jobs`);
  const first = await Promise.all(ids.map(async (id) => followJob(options, id)));
  const lost = await loseWorker({ ...options, client: options });
  const jobs = [...first, ...lost.jobs];
  const table = formatTable(jobs);
  const unfinished = jobs.filter(({ state }) => state !== 'completed');
  if (unfinished.length > 0) {
    throw new Error(`${unfinished.length} jobs of the demonstration did not complete\n${table}`);
  }
  return `${table}\n\n${lost.summary}`;
}

async function enqueueJobs(client: ApiClient, receiverUrl: string): Promise<string[]> {
  const ids: string[] = [];
  for (const order of [1, 2, 3]) {
    const { jobId } = await call<{ jobId: string }>(client, 'GET', `/api/test/${order}`);
    ids.push(jobId);
  }
  const webhook = { method: 'POST', body: '{"hello":"warren"}' };
  const requests: JobRequest[] = [
    { type: 'process-order', args: { orderId: 4 } },
    { type: 'deliver-webhook', args: { ...webhook, url: `${receiverUrl}/webhook` } },
    // Answered with 500 the first time: it is tried again a second later.
    { type: 'deliver-webhook', args: { ...webhook, url: `${receiverUrl}/unsteady` } },
    { type: 'build-report', args: { days: 7 } },
    { type: 'process-order', args: { orderId: 5 }, delayMs: 1_500 },
  ];
  for (const request of requests) ids.push(await enqueue(client, request));
  return ids;
}

export function formatTable(jobs: readonly Job[]): string {
  const head = ['id', 'type', 'state', 'attempt', 'enqueue to finish', 'errors'];
  const rows = jobs.map((job) => {
    const { id, type, state, attempt, createdAt, finishedAt, errors } = job;
    const duration = finishedAt === null ? '-' : `${Date.parse(finishedAt) - Date.parse(createdAt)} ms`;
    const failures = errors.map((error) => `attempt ${error.attempt}: ${error.message}`).join('; ');
    return [id, type, state, String(attempt), duration, failures];
  });
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  return [head, ...rows]
    .map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd())
    .join('\n');
}
