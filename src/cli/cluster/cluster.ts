/**
 * A namespace of a cluster: its pods, what they use, and its autoscalers, asked of the Kubernetes API server.
 * Lists are asked for anew each time and nothing is watched: an open watch may be silent because nothing happens or because the line is dead,
 * and the objects tell themselves when they were created and became ready. Every call heeds its signal and leaves no connection behind.
 */
import type { ConfigurationOptions, PodMetricsList, RequestContext } from '@kubernetes/client-node';
import {
  ApiException,
  AutoscalingV2Api,
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  Observable,
} from '@kubernetes/client-node';
import { Misconfigured } from '#shared/base/errors.ts';
import type { Autoscaler } from './autoscalers.ts';
import { toAutoscaler } from './autoscalers.ts';
import type { Pod, Resources } from './pods.ts';
import { toPod, toUsage } from './pods.ts';
import { explain } from './reading.ts';

const PAGE = 250;
/** More pods than that are somebody else's; the rest is not read. */
const MAX_PAGES = 8;
const GONE = 410;
const NOT_FOUND = 404;
const UNAVAILABLE = 503;

/** What the client takes where it finds nothing else. */
const NO_CONFIG = 'http://localhost:8080';

/** What the file or the service account says. Throws `Misconfigured` where there is neither, and where a context is wanted that it does not have. */
export function loadKubeConfig(context: string | undefined): KubeConfig {
  const config = new KubeConfig();
  loadDefault(config);
  if (context !== undefined) {
    if (config.getContextObject(context) === null)
      throw new Misconfigured(`the kubeconfig has no context "${context}"`);
    config.setCurrentContext(context);
  }
  const server = config.getCurrentCluster()?.server;
  if (server === undefined) throw new Misconfigured('the kubeconfig has no current context: give --context');
  if (server === NO_CONFIG) throw new Misconfigured('no kubeconfig: neither KUBECONFIG nor ~/.kube/config');
  return config;
}

function loadDefault(config: KubeConfig): void {
  try {
    config.loadFromDefault();
  } catch (error) {
    throw new Misconfigured(`the kubeconfig cannot be read: ${explain(error)}`);
  }
}

/** The namespace of the current context, as kubectl takes it. */
export function namespaceOf(config: KubeConfig): string {
  return config.getContextObject(config.getCurrentContext())?.namespace ?? 'default';
}

export interface ClusterOptions {
  config: KubeConfig;
  namespace: string;
  /** Only what has these labels: `app.kubernetes.io/part-of=warren`. Defaults to everything. */
  selector?: string | undefined;
}

export class Cluster {
  readonly #namespace: string;
  /** Parameters of every list. */
  readonly #selection: { labelSelector?: string };
  readonly #core: CoreV1Api;
  readonly #autoscaling: AutoscalingV2Api;
  readonly #custom: CustomObjectsApi;

  constructor({ config, namespace, selector }: ClusterOptions) {
    this.#namespace = namespace;
    this.#selection = selector === undefined ? {} : { labelSelector: selector };
    this.#core = config.makeApiClient(CoreV1Api);
    this.#autoscaling = config.makeApiClient(AutoscalingV2Api);
    this.#custom = config.makeApiClient(CustomObjectsApi);
  }

  /** Every pod of the namespace, by name. */
  async findPods(signal: AbortSignal): Promise<Pod[]> {
    try {
      return await this.#listPods(signal);
    } catch (error) {
      // The list has changed too much since its first page; a new one begins with what there is now.
      if (error instanceof ApiException && error.code === GONE) return await this.#listPods(signal);
      throw error;
    }
  }

  /** What pods use, by their name. A pod has no entry before its first measurement, about half a minute after its start. */
  async findUsage(signal: AbortSignal): Promise<Map<string, Resources>> {
    const group = { group: 'metrics.k8s.io', version: 'v1beta1', plural: 'pods', namespace: this.#namespace };
    const question = { ...group, ...this.#selection };
    try {
      const list: PodMetricsList = await this.#call(signal, (options) =>
        this.#custom.listNamespacedCustomObject(question, options),
      );
      return new Map((list.items ?? []).map((metric) => [metric.metadata.name, toUsage(metric)]));
    } catch (error) {
      if (error instanceof ApiException && (error.code === NOT_FOUND || error.code === UNAVAILABLE))
        throw new Error(`${error.code}: no metrics (yet): does metrics-server run?`, { cause: error });
      throw error;
    }
  }

  /** Every autoscaler of the namespace, by name. */
  async findAutoscalers(signal: AbortSignal): Promise<Autoscaler[]> {
    const list = await this.#call(signal, (options) =>
      this.#autoscaling.listNamespacedHorizontalPodAutoscaler(
        { namespace: this.#namespace, ...this.#selection },
        options,
      ),
    );
    return byName((list.items ?? []).map(toAutoscaler));
  }

  async #listPods(signal: AbortSignal): Promise<Pod[]> {
    const pods: Pod[] = [];
    const all = { namespace: this.#namespace, limit: PAGE, ...this.#selection };
    let next: string | undefined;
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const { items, metadata } = await this.#call(signal, (options) =>
        this.#core.listNamespacedPod(next === undefined ? all : { ...all, _continue: next }, options),
      );
      pods.push(...(items ?? []).map(toPod));
      next = metadata?._continue || undefined;
      if (next === undefined) break;
    }
    return byName(pods);
  }

  /** The client makes a dispatcher, with sockets of its own, for every call over TLS and never closes it: that is done here. */
  async #call<T>(signal: AbortSignal, call: (options: ConfigurationOptions) => Promise<T>): Promise<T> {
    let used: RequestContext | undefined;
    const heedSignal = {
      pre: (request: RequestContext) => {
        used = request;
        request.setSignal(signal);
        return new Observable(Promise.resolve(request));
      },
      post: <Response>(response: Response) => new Observable(Promise.resolve(response)),
    };
    try {
      return await call({ middleware: [heedSignal], middlewareMergeStrategy: 'append' });
    } finally {
      await used?.getDispatcher()?.destroy();
    }
  }
}

function byName<T extends { name: string }>(items: T[]): T[] {
  return items.toSorted((one, other) => one.name.localeCompare(other.name));
}
