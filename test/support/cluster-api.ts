// An HTTP server that answers as the Kubernetes API server does, as far as the watcher asks: pods in pages, pod metrics, autoscalers, `Status`
// objects for refusals, a bearer token. Tests change what it has, and how it behaves: refusing, silent, cut off in the middle, away.
// Guarantees: it is gone, with its connections, once disposed of.
import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { PodMetric, V1Pod, V2HorizontalPodAutoscaler } from '@kubernetes/client-node';
import { KubeConfig } from '@kubernetes/client-node';

export type Resource = 'pods' | 'metrics' | 'autoscalers';

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
    const resource = this.#resourceOf(url.pathname);
    if (request.headers.authorization !== `Bearer ${TOKEN}`) refuse(response, 401, 'Unauthorized');
    else if (resource === undefined) refuse(response, 404, refusal(404));
    else this.#answerFor(resource, url, response);
  }

  #answerFor(resource: Resource, url: URL, response: ServerResponse): void {
    this.asked[resource] += 1;
    const behaviour = this.behaviours[resource] ?? 'normal';
    const page = url.searchParams.get('continue');
    if (typeof behaviour === 'number') refuse(response, behaviour, refusal(behaviour, resource));
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

  #resourceOf(path: string): Resource | undefined {
    const inNamespace = (group: string, plural: string) => `${group}/namespaces/${this.namespace}/${plural}`;
    if (path === inNamespace('/api/v1', 'pods')) return 'pods';
    if (path === inNamespace('/apis/metrics.k8s.io/v1beta1', 'pods')) return 'metrics';
    if (path === inNamespace('/apis/autoscaling/v2', 'horizontalpodautoscalers')) return 'autoscalers';
    return undefined;
  }

  #list(resource: Resource, { searchParams }: URL): unknown {
    this.#revision += 1;
    const kinds = {
      pods: { apiVersion: 'v1', kind: 'PodList' },
      metrics: { apiVersion: 'metrics.k8s.io/v1beta1', kind: 'PodMetricsList' },
      autoscalers: { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscalerList' },
    };
    const from = Number(searchParams.get('continue') ?? 0);
    const limit = Math.min(Number(searchParams.get('limit') ?? Number.POSITIVE_INFINITY), this.pageSize);
    const items = this.state[resource];
    const next = from + limit < items.length ? { continue: String(from + limit) } : {};
    return {
      ...kinds[resource],
      metadata: { resourceVersion: String(this.#revision), ...next },
      items: items.slice(from, from + limit),
    };
  }
}

function refusal(status: number, resource = ''): string {
  if (status === 403) return `${resource} is forbidden: User "somebody" cannot list resource "${resource}"`;
  if (status === 410) return 'The provided continue parameter is too old';
  if (status === 500) return 'etcdserver: leader changed';
  if (status === 503) return 'the server is currently unable to handle the request';
  return 'the server could not find the requested resource';
}

function refuse(response: ServerResponse, code: number, message: string): void {
  const body = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, code };
  response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
