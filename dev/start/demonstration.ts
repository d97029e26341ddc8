// A few real jobs of every type through the HTTP API, followed until each is completed.
import { waitUntil } from '../wait-until.ts';

export type DemonstrationOptions = {
  readonly apiUrl: string;
  readonly apiToken: string | undefined;
  readonly webhookUrl: string;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
};

type Job = {
  readonly id: string;
  readonly type: string;
  readonly state: string;
  readonly attempt: number;
  readonly createdAt: string;
  readonly finishedAt: string | null;
  readonly errors: readonly { readonly message: string }[];
};

const completionTimeoutMs = 30_000;
const finalStates = new Set(['completed', 'cancelled', 'discarded']);

/** Answers the table; throws when a job did not come to `completed` in time. */
export async function demonstrate(options: DemonstrationOptions): Promise<string> {
  const ids = await enqueueJobs(options);
  options.log(`enqueued ${ids.length} jobs`);
  const jobs = await Promise.all(ids.map(async (id) => followJob(options, id)));
  const table = formatTable(jobs);
  const unfinished = jobs.filter(({ state }) => state !== 'completed');
  if (unfinished.length > 0) {
    throw new Error(`${unfinished.length} jobs of the demonstration did not complete\n${table}`);
  }
  return table;
}

async function enqueueJobs(options: DemonstrationOptions): Promise<string[]> {
  const ids: string[] = [];
  for (const order of [1, 2, 3]) {
    const { jobId } = await call<{ jobId: string }>(options, 'GET', `/api/test/${order}`);
    ids.push(jobId);
  }
  const webhook = { url: options.webhookUrl, method: 'POST', body: '{"hello":"warren"}' };
  const requests = [
    { type: 'process-order', args: { orderId: 4 } },
    { type: 'deliver-webhook', args: webhook },
    { type: 'build-report', args: { days: 7 } },
    { type: 'process-order', args: { orderId: 5 }, delayMs: 1_500 },
  ];
  for (const request of requests) {
    const { job } = await call<{ job: Job }>(options, 'POST', '/v1/jobs', request);
    ids.push(job.id);
  }
  return ids;
}

async function followJob(options: DemonstrationOptions, id: string): Promise<Job> {
  let last: Job | undefined;
  try {
    return await waitUntil({
      what: `job ${id}`,
      check: async () => {
        last = (await call<{ job: Job }>(options, 'GET', `/v1/jobs/${id}`)).job;
        return finalStates.has(last.state) ? last : undefined;
      },
      timeoutMs: completionTimeoutMs,
      signal: options.signal,
    });
  } catch (error) {
    // A job that is late still belongs into the table, with the state that it is in.
    if (last === undefined || options.signal.aborted) throw error;
    return last;
  }
}

async function call<T>(
  { apiUrl, apiToken, signal }: DemonstrationOptions,
  method: string,
  path: string,
  body?: unknown,
): Promise<T> {
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (apiToken !== undefined) headers['authorization'] = `Bearer ${apiToken}`;
  const response = await fetch(`${apiUrl}${path}`, {
    method,
    headers,
    body: body === undefined ? null : JSON.stringify(body),
    signal: AbortSignal.any([signal, AbortSignal.timeout(10_000)]),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status} ${text.slice(0, 300)}`);
  return JSON.parse(text);
}

export function formatTable(jobs: readonly Job[]): string {
  const head = ['id', 'type', 'state', 'attempt', 'enqueue to finish'];
  const rows = jobs.map((job) => {
    const { id, type, state, attempt, createdAt, finishedAt } = job;
    const duration = finishedAt === null ? '-' : `${Date.parse(finishedAt) - Date.parse(createdAt)} ms`;
    return [id, type, state, String(attempt), duration, job.errors.at(-1)?.message ?? ''];
  });
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  return [head, ...rows]
    .map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd())
    .join('\n');
}
