// Watches everything at once: the cluster, the queues, Postgres. Each source is asked on its own and may fail on its own.
// Guarantees: `snapshot` never waits and never throws; what is not known is told with the reason.
import type { Activity } from '../connections/activity.ts';
import { ActivityReader } from '../connections/activity.ts';
import type { Autoscaler } from './autoscalers.ts';
import type { Cluster } from './cluster.ts';
import type { Pod, Resources } from './pods.ts';
import { Poller } from './poller.ts';
import type { QueueState } from './queues.ts';
import { findQueues, totalQueues } from './queues.ts';
import { RateMeter } from './rate-meter.ts';
import type { Reading } from './reading.ts';

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
export interface Snapshot {
  pods: Reading<readonly Pod[]>;
  /** By the pod's name. */
  usage: Reading<ReadonlyMap<string, Resources>>;
  autoscalers: Reading<readonly Autoscaler[]>;
  queues: Reading<readonly QueueState[]>;
  /** Jobs completed per second; null while not known. */
  jobsPerSecond: number | null;
  /** Undefined: not watched. */
  activity: Reading<Activity> | undefined;
}

const CLUSTER_DEADLINE_MS = 4_000;
const SERVER_DEADLINE_MS = 4_000;
/** The API counts its whole table of jobs for the answer. */
const QUEUES_DEADLINE_MS = 12_000;

export class Watcher {
  readonly #pods: Poller<readonly Pod[]>;
  readonly #usage: Poller<ReadonlyMap<string, Resources>>;
  readonly #autoscalers: Poller<readonly Autoscaler[]>;
  readonly #queues: Poller<readonly QueueState[]>;
  readonly #activity: Poller<Activity> | undefined;
  readonly #activityReader: ActivityReader | undefined;
  readonly #completed = new RateMeter();

  constructor(options: WatcherOptions) {
    const { url, token, databaseUrl, intervalMs } = options;
    const cluster = lazily(options.openCluster);
    const often = { intervalMs, deadlineMs: CLUSTER_DEADLINE_MS };
    this.#pods = new Poller<readonly Pod[]>({
      ...often,
      question: async (signal) => cluster().findPods(signal),
    });
    this.#usage = new Poller<ReadonlyMap<string, Resources>>({
      ...often,
      question: async (signal) => cluster().findUsage(signal),
    });
    this.#autoscalers = new Poller<readonly Autoscaler[]>({
      ...often,
      question: async (signal) => cluster().findAutoscalers(signal),
    });
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
    for (const poller of this.#pollers()) poller.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#pollers().map((poller) => poller.stop()));
    await this.#activityReader?.stop();
  }

  snapshot(): Snapshot {
    return {
      pods: this.#pods.latest,
      usage: this.#usage.latest,
      autoscalers: this.#autoscalers.latest,
      queues: this.#queues.latest,
      jobsPerSecond: this.#queues.latest.ok ? this.#completed.perSecond : null,
      activity: this.#activity?.latest,
    };
  }

  #measure(reading: Reading<readonly QueueState[]>): void {
    if (!reading.ok) return;
    this.#completed.look(totalQueues(reading.value).completed, performance.now());
  }

  #pollers(): Pick<Poller<unknown>, 'start' | 'stop'>[] {
    const all = [this.#pods, this.#usage, this.#autoscalers, this.#queues, this.#activity];
    return all.filter((poller) => poller !== undefined);
  }
}

/** A kubeconfig may come later: it is looked for again until it is there. */
function lazily<T>(open: () => T): () => T {
  let opened: T | undefined;
  return () => {
    opened ??= open();
    return opened;
  };
}
