// What the demonstration asks of the API: enqueue, look, follow to the end.
import { waitUntil } from '../wait-until.ts';

export type ApiClient = {
  readonly apiUrl: string;
  readonly apiToken: string | undefined;
  readonly signal: AbortSignal;
};

export type Job = {
  readonly id: string;
  readonly type: string;
  readonly state: string;
  readonly attempt: number;
  readonly createdAt: string;
  readonly finishedAt: string | null;
  readonly errors: readonly { readonly attempt: number; readonly message: string }[];
};

export type JobRequest = { readonly type: string; readonly args: unknown; readonly delayMs?: number };

const requestTimeoutMs = 10_000;
const completionTimeoutMs = 30_000;
const finalStates = new Set(['completed', 'cancelled', 'discarded']);

export async function enqueue(client: ApiClient, request: JobRequest): Promise<string> {
  const { job } = await call<{ job: Job }>(client, 'POST', '/v1/jobs', request);
  return job.id;
}

/** The job at its end, or as it is when it takes too long: it belongs into the table all the same. */
export async function followJob(client: ApiClient, id: string): Promise<Job> {
  let last: Job | undefined;
  try {
    return await waitUntil({
      what: `job ${id}`,
      check: async () => {
        last = (await call<{ job: Job }>(client, 'GET', `/v1/jobs/${id}`)).job;
        return finalStates.has(last.state) ? last : undefined;
      },
      timeoutMs: completionTimeoutMs,
      signal: client.signal,
    });
  } catch (error) {
    if (last === undefined || client.signal.aborted) throw error;
    return last;
  }
}

export async function call<T>(
  { apiUrl, apiToken, signal }: ApiClient,
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
    signal: AbortSignal.any([signal, AbortSignal.timeout(requestTimeoutMs)]),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status} ${text.slice(0, 300)}`);
  return JSON.parse(text);
}
