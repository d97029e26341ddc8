// An HTTP server that answers as the Kubernetes API server does, as far as the watcher asks: pods in pages, pod metrics, autoscalers, `Status`
// objects for refusals, a bearer token with the rights of a Role, label selectors. Tests change what it has, and how it behaves: refusing, silent,
// cut off in the middle, away.
// Guarantees: it is gone, with its connections, once disposed of.
import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { PodMetric, V1Pod, V2HorizontalPodAutoscaler } from '@kubernetes/client-node';
import { KubeConfig } from '@kubernetes/client-node';

export type Resource = 'pods' | 'metrics' | 'autoscalers';

/** As it stands in the `rules` of a Role. */
export interface RoleRule {
  apiGroups: readonly string[];
  resources: readonly string[];
  verbs: readonly string[];
}

const names: Readonly<Record<Resource, { group: string; plural: string; kind: string; version: string }>> = {
  pods: { group: '', plural: 'pods', kind: 'PodList', version: 'v1' },
  metrics: {
    group: 'metrics.k8s.io',
    plural: 'pods',
    kind: 'PodMetricsList',
    version: 'metrics.k8s.io/v1beta1',
  },
  autoscalers: {
    group: 'autoscaling',
    plural: 'horizontalpodautoscalers',
    kind: 'HorizontalPodAutoscalerList',
    version: 'autoscaling/v2',
  },
};
const everything: readonly RoleRule[] = [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }];

/**
 * `silent`: takes the request and never answers. `cut`: closes the connection in the middle of the answer. `page`: a proxy's page instead.
 * A number: refuses with this status.
 */
export type Behaviour = 'normal' | 'silent' | 'cut' | 'page' | number;

export interface ClusterState {
  pods: V1Pod[];
  metrics: PodMetric[];
  autoscalers: V2HorizontalPodAutoscaler[];
}

const TOKEN = 'a-test-token';

export class ClusterApi {
  readonly state: ClusterState = { pods: [], metrics: [], autoscalers: [] };
  /** How each resource is answered; `normal` where nothing is said. */
  readonly behaviours: Partial<Record<Resource, Behaviour>> = {};
  /** What the Role of the token's user in `namespace` allows; elsewhere he has none. */
  rights: readonly RoleRule[] = everything;
  /** Pages that have expired: the next use is answered with 410. */
  readonly expired = new Set<string>();
  /** Requests by resource, refused ones included. */
  readonly asked: Record<Resource, number> = { pods: 0, metrics: 0, autoscalers: 0 };
  /** Requests that the client has called off, or that were cut. */
  calledOff = 0;
  /** At most so many items in a page, whatever the client asks for. */
  pageSize = Number.POSITIVE_INFINITY;
  readonly namespace: string;
  #server: Server;
  #port = 0;
  #revision = 1_000;

  private constructor(namespace: string) {
    this.namespace = namespace;
    this.#server = this.#create();
  }

  static async start({ namespace = 'warren' }: { namespace?: string } = {}): Promise<ClusterApi> {
    const api = new ClusterApi(namespace);
    await api.comeBack();
    return api;
  }

  /** Closes the port and every connection. */
  async goAway(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  /** Listens on the same port as before. */
  async comeBack(): Promise<void> {
    this.#server = this.#create();
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  config(options: { token?: string } = {}): KubeConfig {
    const config = new KubeConfig();
    config.loadFromString(this.kubeconfig(options));
    return config;
  }

  /** The text of a kubeconfig file. */
  kubeconfig({ token = TOKEN }: { token?: string } = {}): string {
    return JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'test',
      clusters: [{ name: 'test', cluster: { server: this.url, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'test', user: { token } }],
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace: this.namespace } }],
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.goAway();
  }

  #create(): Server {
    return createServer((request, response) => {
      response.once('close', () => {
        if (!response.writableEnded) this.calledOff += 1;
      });
      this.#answer(request, response);
    });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', this.url);
    const { resource, namespace } = askedFor(url.pathname);
    if (request.headers.authorization !== `Bearer ${TOKEN}`) refuse(response, 401, 'Unauthorized');
    else if (resource === undefined || request.method !== 'GET') notFound(response);
    else if (!this.#isAllowed(resource, namespace)) refuse(response, 403, forbidden(resource, namespace));
    else this.#answerFor(resource, url, response);
  }

  #answerFor(resource: Resource, url: URL, response: ServerResponse): void {
    this.asked[resource] += 1;
    const behaviour = this.behaviours[resource] ?? 'normal';
    const page = url.searchParams.get('continue');
    if (behaviour === 404) notFound(response);
    else if (behaviour === 403) refuse(response, 403, forbidden(resource, this.namespace));
    else if (typeof behaviour === 'number') refuse(response, behaviour, refusal(behaviour));
    else if (behaviour === 'page')
      response.writeHead(502, { 'content-type': 'text/html' }).end('<html>bad gateway</html>');
    else if (page !== null && this.expired.delete(page)) refuse(response, 410, refusal(410));
    else if (behaviour !== 'silent') this.#send(response, this.#list(resource, url), behaviour === 'cut');
  }

  #send(response: ServerResponse, list: unknown, isCut: boolean): void {
    const body = JSON.stringify(list);
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    });
    if (isCut) response.write(body.slice(0, body.length / 2), () => response.destroy());
    else response.end(body);
  }

  #isAllowed(resource: Resource, namespace: string): boolean {
    const { group, plural } = names[resource];
    const has = (one: string, all: readonly string[]) => all.includes(one) || all.includes('*');
    return (
      namespace === this.namespace &&
      this.rights.some(
        ({ apiGroups, resources, verbs }) =>
          has(group, apiGroups) && has(plural, resources) && has('list', verbs),
      )
    );
  }

  #list(resource: Resource, { searchParams }: URL): unknown {
    this.#revision += 1;
    const { kind, version } = names[resource];
    const from = Number(searchParams.get('continue') ?? 0);
    const limit = Math.min(Number(searchParams.get('limit') ?? Number.POSITIVE_INFINITY), this.pageSize);
    const items = selected(this.state[resource], searchParams.get('labelSelector'));
    const next = from + limit < items.length ? { continue: String(from + limit) } : {};
    return {
      kind,
      apiVersion: version,
      metadata: { resourceVersion: String(this.#revision), ...next },
      items: items.slice(from, from + limit),
    };
  }
}

/** `/api/v1/namespaces/NAMESPACE/pods`; groups stand below `/apis`. */
function askedFor(path: string): { resource: Resource | undefined; namespace: string } {
  const [, version = '', namespace = '', plural] =
    /^\/apis?\/(.+)\/namespaces\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
  const isCore = path.startsWith('/api/');
  const found = (Object.keys(names) as Resource[]).find(
    (each) =>
      names[each].version === version &&
      names[each].plural === plural &&
      (names[each].group === '') === isCore,
  );
  return { resource: found, namespace: decodeURIComponent(namespace) };
}

/** Equality alone: `name=value,name=value`. */
function selected(items: readonly { metadata?: object }[], selector: string | null): object[] {
  const wanted = (selector ?? '').split(',').filter((each) => each !== '');
  return items.filter(({ metadata }) => {
    const { labels = {} } = (metadata ?? {}) as { labels?: Record<string, string> };
    return wanted.every((each) => {
      const [name = '', value] = each.split('=');
      return labels[name] === value;
    });
  });
}

function refusal(status: number): string {
  if (status === 410) return 'The provided continue parameter is too old';
  if (status === 500) return 'etcdserver: leader changed';
  return 'the server is currently unable to handle the request';
}

function forbidden(resource: Resource, namespace: string): string {
  const { group, plural } = names[resource];
  const full = group === '' ? plural : `${plural}.${group}`;
  return `${full} is forbidden: User "somebody" cannot list resource "${plural}" in API group "${group}" in the namespace "${namespace}"`;
}

/** A path that no API serves: no metrics-server, say. */
function notFound(response: ServerResponse): void {
  response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('404 page not found\n');
}

function refuse(response: ServerResponse, code: number, message: string): void {
  const body = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, code };
  response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
