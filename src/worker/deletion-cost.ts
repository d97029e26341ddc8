/**
 * Tells Kubernetes how busy this worker is: how many attempts run here, as the deletion cost of its own pod. When a Deployment shrinks, pods that
 * cost less go first, so that idle workers go before busy ones.
 *
 * Guarantees: a change between idle and busy is told within two seconds, and at most once in two seconds; other changes wait for the interval; only a
 * number that has changed is told; a failure is published once, until it works again, and never
 * hurts; every request has a deadline. Best effort: a busy pod that goes all the same hands its jobs back. Knows nothing of jobs but their events.
 * Source: kubernetes.io/docs/concepts/workloads/controllers/replicaset/#pod-deletion-cost.
 */
import { readFile } from 'node:fs/promises';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { join } from 'node:path';
import { sleep } from '#shared/base/backoff.ts';
import type { Events } from '#shared/observe/events.ts';

const ANNOTATION = 'controller.kubernetes.io/pod-deletion-cost';
const CREDENTIALS_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';
const INTERVAL_MS = 10_000;
const SHORTEST_MS = 2_000;
const DEADLINE_MS = 5_000;

export interface DeletionCostOptions {
  events: Events;
  /** The pod at the API server: `https://…/api/v1/namespaces/<namespace>/pods/<name>`. */
  podUrl: string;
  /** Holds `token` and `ca.crt`, read anew each time because the kubelet renews them. Defaults to where service accounts are mounted. */
  credentialsFolder?: string;
  /** Between two numbers, where the pod was busy before and is so still. Defaults to 10 000. */
  intervalMs?: number;
  /** Between two numbers at least. Defaults to 2000. */
  shortestMs?: number;
}

export class DeletionCost {
  readonly #options: Required<DeletionCostOptions>;
  readonly #stopping = new AbortController();
  /** Aborts where the pod has become idle or busy since the last number, and ends the wait for the next. */
  #changed = new AbortController();
  #running = 0;
  /** Undefined until the first: what the pod says may be of an earlier process. */
  #told: number | undefined;
  #isFailing = false;
  #unsubscribe: (() => void)[] = [];
  #life: Promise<void> = Promise.resolve();

  constructor(options: DeletionCostOptions) {
    this.#options = {
      credentialsFolder: CREDENTIALS_FOLDER,
      intervalMs: INTERVAL_MS,
      shortestMs: SHORTEST_MS,
      ...options,
    };
  }

  start(): void {
    this.#unsubscribe = [
      this.#options.events.subscribe('attempt.started', () => {
        this.#running += 1;
        this.#noteChange();
      }),
      this.#options.events.subscribe('attempt.finished', () => {
        this.#running -= 1;
        this.#noteChange();
      }),
    ];
    this.#life = this.#live();
  }

  /** The last number stays: the pod is going. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#changed.abort();
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    await this.#life;
  }

  async #live(): Promise<void> {
    const { intervalMs, shortestMs } = this.#options;
    while (!this.#stopping.signal.aborted) {
      if (this.#running !== this.#told) await this.#tell(this.#running);
      await sleep(shortestMs, this.#stopping.signal);
      this.#changed = new AbortController();
      this.#noteChange();
      await sleep(intervalMs - shortestMs, this.#changed.signal);
    }
  }

  /** A server that refuses is not asked more often. */
  #noteChange(): void {
    const isOther = this.#running > 0 !== (this.#told ?? 0) > 0 && !this.#isFailing;
    if (isOther || this.#stopping.signal.aborted) this.#changed.abort();
  }

  async #tell(cost: number): Promise<void> {
    const { podUrl, credentialsFolder } = this.#options;
    const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(DEADLINE_MS)]);
    try {
      await annotate({ podUrl, credentialsFolder, cost, signal });
      this.#told = cost;
      this.#isFailing = false;
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      if (!this.#isFailing)
        this.#options.events.publish('maintenance.failed', { task: 'deletion cost', error });
      this.#isFailing = true;
    }
  }
}

interface Annotation {
  podUrl: string;
  credentialsFolder: string;
  cost: number;
  signal: AbortSignal;
}

/** By node:https, because fetch cannot be given a certificate authority. Throws what went wrong, the server's own words included. */
async function annotate({ podUrl, credentialsFolder, cost, signal }: Annotation): Promise<void> {
  const [token, ca] = await Promise.all([
    readFile(join(credentialsFolder, 'token'), { encoding: 'utf8', signal }),
    readFile(join(credentialsFolder, 'ca.crt'), { encoding: 'utf8', signal }),
  ]);
  const body = JSON.stringify({ metadata: { annotations: { [ANNOTATION]: String(cost) } } });
  const headers = {
    authorization: `Bearer ${token.trim()}`,
    'content-type': 'application/merge-patch+json',
    accept: 'application/json',
    'content-length': Buffer.byteLength(body),
  };
  const send = new URL(podUrl).protocol === 'https:' ? requestHttps : requestHttp;
  const { status, text } = await new Promise<{ status: number; text: string }>((resolve, reject) => {
    // A connection of its own: one request in ten seconds is not worth keeping one open.
    const request = send(podUrl, { method: 'PATCH', headers, ca, signal, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        if (text.length < 1_000) text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
  if (status !== 200) throw new Error(`Kubernetes answered ${status}: ${text.slice(0, 300)}`);
}
