// The queues as the fleet's own API tells of them: jobs that wait, run and are done, by its counts in Postgres (a message in RabbitMQ may carry several),
// and who consumes.
import type { JobState } from '../../src/shared/job/transitions.ts';

export interface QueueState {
  name: string;
  /** Jobs that could run and that no worker has claimed. */
  waiting: number;
  running: number;
  /** Null: the broker did not tell. */
  consumers: number | null;
  /** Jobs completed so far. */
  completed: number;
}

/** `GET /v1/queues`. Throws for any other answer than 200. */
export async function findQueues({
  url,
  token,
  signal,
}: {
  url: URL;
  token: string | undefined;
  signal: AbortSignal;
}): Promise<QueueState[]> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(new URL('/v1/queues', url), { headers, signal });
  if (!response.ok)
    throw new Error(`${response.status} at /v1/queues: ${(await response.text()).slice(0, 100)}`);
  const { queues } = (await response.json()) as {
    queues: (Pick<QueueState, 'name' | 'consumers'> & { counts: Record<JobState, number> })[];
  };
  return queues.map(({ name, consumers, counts: { available, running, completed } }) => {
    return { name, waiting: available, running, consumers, completed };
  });
}

/** All queues together. Consumers that one queue does not tell are not known for all. */
export function totalQueues(queues: readonly QueueState[]): Omit<QueueState, 'name'> {
  const total = (key: 'waiting' | 'running' | 'completed') =>
    queues.reduce((sum, { [key]: jobs }) => sum + jobs, 0);
  return {
    waiting: total('waiting'),
    running: total('running'),
    consumers: queues.reduce<number | null>(
      (sum, { consumers }) => (sum === null || consumers === null ? null : sum + consumers),
      0,
    ),
    completed: total('completed'),
  };
}
