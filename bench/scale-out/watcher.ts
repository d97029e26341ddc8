// Watches everything at once: the cluster as `warren top --pods` does, the queues, Postgres. Each source is asked on its own and may fail on its own.
// Guarantees: `snapshot` never waits and never throws; what is not known is told with the reason.
import type { Cluster } from '../../src/cli/cluster/cluster.ts';
import type { ClusterSnapshot } from '../../src/cli/cluster/cluster-watcher.ts';
import { ClusterWatcher } from '../../src/cli/cluster/cluster-watcher.ts';
import { Poller } from '../../src/cli/cluster/poller.ts';
import type { Reading } from '../../src/cli/cluster/reading.ts';
import type { Activity } from '../connections/activity.ts';
import { ActivityReader } from '../connections/activity.ts';
import type { QueueState } from './queues.ts';
import { findQueues, totalQueues } from './queues.ts';
import { RateMeter } from './rate-meter.ts';

export interface WatcherOptions {
  /** Throws where there is no kubeconfig to use: the cluster is unknown then. */
  openCluster: () => Cluster;
  /** The API. */
  url: URL;
  token: string | undefined;
  /** Undefined: connections to Postgres are not watched. */
  databaseUrl: string | undefined;
  intervalMs: number;
}

/** What is known at one moment. */
export interface Snapshot extends ClusterSnapshot {
  queues: Reading<readonly QueueState[]>;
  /** Jobs completed per second; null while not known. */
  jobsPerSecond: number | null;
  /** Undefined: not watched. */
  activity: Reading<Activity> | undefined;
}

const SERVER_DEADLINE_MS = 4_000;
/** The API counts its whole table of jobs for the answer. */
const QUEUES_DEADLINE_MS = 12_000;

export class Watcher {
  readonly #cluster: ClusterWatcher;
  readonly #queues: Poller<readonly QueueState[]>;
  readonly #activity: Poller<Activity> | undefined;
  readonly #activityReader: ActivityReader | undefined;
  readonly #completed = new RateMeter();

  constructor({ openCluster, url, token, databaseUrl, intervalMs }: WatcherOptions) {
    this.#cluster = new ClusterWatcher({ open: openCluster, intervalMs, deadlineMs: SERVER_DEADLINE_MS });
    this.#queues = new Poller<readonly QueueState[]>({
      intervalMs,
      deadlineMs: QUEUES_DEADLINE_MS,
      question: (signal) => findQueues({ url, token, signal }),
      onReading: (reading) => this.#measure(reading),
    });
    if (databaseUrl !== undefined) {
      const reader = new ActivityReader(databaseUrl);
      this.#activityReader = reader;
      this.#activity = new Poller({
        intervalMs,
        deadlineMs: SERVER_DEADLINE_MS,
        question: () => reader.read(),
      });
    }
  }

  start(): void {
    for (const part of this.#parts()) part.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#parts().map((part) => part.stop()));
    await this.#activityReader?.stop();
  }

  snapshot(): Snapshot {
    return {
      ...this.#cluster.snapshot(),
      queues: this.#queues.latest,
      jobsPerSecond: this.#queues.latest.ok ? this.#completed.perSecond : null,
      activity: this.#activity?.latest,
    };
  }

  #measure(reading: Reading<readonly QueueState[]>): void {
    if (!reading.ok) return;
    this.#completed.look(totalQueues(reading.value).completed, performance.now());
  }

  #parts(): Pick<ClusterWatcher, 'start' | 'stop'>[] {
    return [this.#cluster, this.#queues, this.#activity].filter((part) => part !== undefined);
  }
}
