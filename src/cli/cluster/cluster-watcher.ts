/**
 * Watches a namespace of a cluster: pods, what they use, autoscalers. Each is asked on its own and may fail on its own.
 *
 * Guarantees: `snapshot` never waits and never throws; what is not known is told with the reason.
 */
import type { Autoscaler } from './autoscalers.ts';
import type { Cluster } from './cluster.ts';
import type { Pod, Resources } from './pods.ts';
import { Poller } from './poller.ts';
import type { Reading } from './reading.ts';

/** What is known of a cluster at one moment. */
export interface ClusterSnapshot {
  pods: Reading<readonly Pod[]>;
  /** By the pod's name. */
  usage: Reading<ReadonlyMap<string, Resources>>;
  autoscalers: Reading<readonly Autoscaler[]>;
}

type Questions = Pick<Cluster, 'findPods' | 'findUsage' | 'findAutoscalers'>;

export interface ClusterWatcherOptions {
  /** Called until it does not throw: a kubeconfig may come later. */
  open: () => Questions;
  intervalMs: number;
  /** What an answer may take, and before it the program of the kubeconfig that fetches a token. */
  deadlineMs: number;
}

export class ClusterWatcher {
  readonly #pods: Poller<readonly Pod[]>;
  readonly #usage: Poller<ReadonlyMap<string, Resources>>;
  readonly #autoscalers: Poller<readonly Autoscaler[]>;

  constructor({ open, intervalMs, deadlineMs }: ClusterWatcherOptions) {
    let opened: Questions | undefined;
    const poll = <T>(question: (cluster: Questions, signal: AbortSignal) => Promise<T>) =>
      new Poller<T>({
        intervalMs,
        deadlineMs,
        question: async (signal) => {
          opened ??= open();
          return await question(opened, signal);
        },
      });
    this.#pods = poll<readonly Pod[]>((cluster, signal) => cluster.findPods(signal));
    this.#usage = poll<ReadonlyMap<string, Resources>>((cluster, signal) => cluster.findUsage(signal));
    this.#autoscalers = poll<readonly Autoscaler[]>((cluster, signal) => cluster.findAutoscalers(signal));
  }

  start(): void {
    for (const poller of this.#pollers()) poller.start();
  }

  /** Resolves when each question was answered once, or its deadline has passed, or watching has stopped. */
  async untilAsked(): Promise<void> {
    await Promise.all(this.#pollers().map((poller) => poller.asked));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#pollers().map((poller) => poller.stop()));
  }

  snapshot(): ClusterSnapshot {
    return { pods: this.#pods.latest, usage: this.#usage.latest, autoscalers: this.#autoscalers.latest };
  }

  #pollers(): Pick<Poller<unknown>, 'start' | 'stop' | 'asked'>[] {
    return [this.#pods, this.#usage, this.#autoscalers];
  }
}
