/**
 * One look of `warren top`: what two answers of the API tell of queues and workers, and what is known of the cluster. Knows no terminal.
 */
import { Unavailable } from '#shared/base/errors.ts';
import type { ApiConnection } from './api-connection.ts';
import type { ClusterSnapshot } from './cluster/cluster-watcher.ts';
import type { Reading } from './cluster/reading.ts';

interface Queue {
  name: string;
  counts: Record<string, number>;
}

/** As the API answers; `endedPerSecond`: since the look before, null where there was none. */
export interface Fleet {
  queues: readonly (Queue & { endedPerSecond: number | null })[];
  workers: readonly object[];
}

export interface Look {
  at: Date;
  /** Undefined where the API has never answered. */
  fleet: Fleet | undefined;
  /** What people should know of the fleet: that the API is away, and the fleet as it was before. */
  note: string | undefined;
  /** Undefined where no pods are wanted. */
  cluster: (ClusterSnapshot & { namespace: string }) | undefined;
}

/** An answer that is no success, as the API gave it. */
export interface Refusal {
  status: number;
  body: string;
}

const ENDED = ['completed', 'discarded', 'cancelled'];

/** Keeps what throughput is counted from: the look before. */
export class FleetReader {
  readonly #connection: ApiConnection;
  #before: { atMs: number; queues: readonly Queue[] } | undefined;

  constructor(connection: ApiConnection) {
    this.#connection = connection;
  }

  /** Throws `Unavailable` where the API is away, or lacks what it needs. */
  async read(): Promise<Fleet | Refusal> {
    const responses = await Promise.all(
      ['/v1/queues', '/v1/workers'].map((path) => this.#connection.request(path)),
    );
    const bodies = await Promise.all(responses.map((response) => response.text()));
    for (const [index, { status }] of responses.entries()) {
      if (status === 503)
        throw new Unavailable('api_unavailable', 'the API is there, and something that it needs is not');
      if (status !== 200) return { status, body: bodies[index] ?? '' };
    }
    const [queues = '{}', workers = '{}'] = bodies;
    return {
      queues: this.#measure((JSON.parse(queues) as { queues: Queue[] }).queues),
      workers: (JSON.parse(workers) as { workers: object[] }).workers,
    };
  }

  /** After an outage the next look counts from nothing: nobody knows when in it jobs have ended. */
  forget(): void {
    this.#before = undefined;
  }

  /** What was deleted meanwhile does not count against what has ended. */
  #measure(queues: readonly Queue[]): Fleet['queues'] {
    const [before, atMs] = [this.#before, performance.now()];
    this.#before = { atMs, queues };
    return queues.map((queue) => {
      const earlier = before?.queues.find(({ name }) => name === queue.name);
      if (before === undefined || earlier === undefined) return { ...queue, endedPerSecond: null };
      const ended = Math.max(0, endedIn(queue) - endedIn(earlier));
      return { ...queue, endedPerSecond: ended / ((atMs - before.atMs) / 1_000) };
    });
  }
}

function endedIn({ counts }: Queue): number {
  return ENDED.reduce((total, state) => total + (counts[state] ?? 0), 0);
}

/** One line for programs. What is not known is null, and a line of `problems` says why. */
export function toJson({ at, fleet, note, cluster }: Look): string {
  const { queues = null, workers = null } = fleet ?? {};
  const object = {
    at,
    queues,
    workers,
    ...(note !== undefined && { note }),
    ...(cluster && { cluster: toObject(cluster) }),
  };
  return JSON.stringify(object);
}

function toObject({ namespace, pods, usage, autoscalers }: ClusterSnapshot & { namespace: string }): object {
  const known = <T>(reading: Reading<T>) => (reading.ok ? reading.value : null);
  const used = known(usage);
  const problems = Object.entries({ pods, usage, autoscalers }).flatMap(([of, reading]) =>
    reading.ok ? [] : [{ of, reason: reading.reason, status: reading.status ?? null }],
  );
  return {
    namespace,
    pods: known(pods)?.map((pod) => ({ ...pod, usage: used?.get(pod.name) ?? null })) ?? null,
    autoscalers: known(autoscalers),
    problems,
  };
}
