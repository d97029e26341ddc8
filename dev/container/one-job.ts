// One job through the whole system, over HTTP: in by the source article's endpoint, then followed until a worker has completed it.
import { waitUntil } from '../wait-until.ts';

export type OneJobOptions = {
  readonly apiUrl: string;
  readonly apiToken?: string | undefined;
  readonly log?: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
  /** How long the API may take to answer, and the job to complete. */
  readonly timeoutMs: number;
};

type Job = { readonly id: string; readonly type: string; readonly state: string; readonly attempt: number };

const requestTimeoutMs = 5_000;

/** Tells how it went; throws where it did not complete in time. */
export async function doOneJob({ timeoutMs, log, signal, ...api }: OneJobOptions): Promise<string> {
  const waiting = { timeoutMs, signal, ...(log === undefined ? {} : { log }) };
  const { jobId } = await waitUntil({
    what: 'the API',
    check: async () => call<{ jobId: string }>(api, 'POST', '/api/test/1'),
    intervalMs: 500,
    ...waiting,
  });
  const job = await waitUntil({
    what: `job ${jobId}`,
    check: async () => {
      const { job: now } = await call<{ job: Job }>(api, 'GET', `/v1/jobs/${jobId}`);
      return now.state === 'completed' ? now : undefined;
    },
    ...waiting,
  });
  return `job ${job.id} (${job.type}) is ${job.state} at attempt ${job.attempt}`;
}

async function call<T>(
  { apiUrl, apiToken }: Pick<OneJobOptions, 'apiUrl' | 'apiToken'>,
  method: string,
  path: string,
): Promise<T> {
  const response = await fetch(`${apiUrl}${path}`, {
    method,
    headers: apiToken === undefined ? {} : { authorization: `Bearer ${apiToken}` },
    signal: AbortSignal.timeout(requestTimeoutMs),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}
