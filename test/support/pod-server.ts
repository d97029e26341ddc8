// A server that answers PATCH of a pod as the Kubernetes API server does, over HTTP or HTTPS, on a free port of loopback.
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, RequestListener, Server } from 'node:http';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HANG_MS } from './eventually.ts';

export type Patch = { readonly token: string; readonly contentType: string; readonly body: unknown };

type Certificate = { readonly key: string; readonly cert: string };

const path = '/api/v1/namespaces/warren/pods/worker-1';

export class PodServer implements AsyncDisposable {
  /** What came in, in order. */
  readonly patches: Patch[] = [];
  /** `token` and `ca.crt`, as a pod has them. */
  readonly credentialsFolder: string;
  /** What it answers: 200 with the pod; `hang` is silence. */
  answer: 'pod' | 'forbidden' | 'hang' = 'pod';
  readonly #scheme: string;
  readonly #server: Server;
  readonly #looks = new Set<() => void>();

  private constructor(folder: string, certificate: Certificate | undefined) {
    this.credentialsFolder = folder;
    this.#scheme = certificate ? 'https' : 'http';
    const listener: RequestListener = (request, response) => {
      void this.#take(request).then(() => {
        if (this.answer === 'hang') return;
        const [status, body] = this.answer === 'pod' ? [200, pod] : [403, forbidden];
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      });
    };
    this.#server = certificate ? createSecureServer(certificate, listener) : createServer(listener);
  }

  /** `secure`: HTTPS with a certificate that only `ca.crt` vouches for; needs openssl. */
  static async start({ secure = false } = {}): Promise<PodServer> {
    const folder = mkdtempSync(join(tmpdir(), 'warren-pod-'));
    writeFileSync(join(folder, 'token'), 'first-token\n');
    writeFileSync(join(folder, 'ca.crt'), '');
    const api = new PodServer(folder, secure ? makeCertificate(folder) : undefined);
    api.#server.listen(0, '127.0.0.1');
    await once(api.#server, 'listening');
    return api;
  }

  get podUrl(): string {
    return `${this.#scheme}://127.0.0.1:${(this.#server.address() as AddressInfo).port}${path}`;
  }

  /** The kubelet has renewed it. */
  renewToken(token: string): void {
    writeFileSync(join(this.credentialsFolder, 'token'), token);
  }

  async received(count: number): Promise<readonly Patch[]> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = () => this.patches.length >= count && resolve();
    const deadline = setTimeout(
      () => reject(new Error(`${this.patches.length} of ${count} patches`)),
      HANG_MS,
    );
    this.#looks.add(look);
    look();
    await promise.finally(() => {
      clearTimeout(deadline);
      this.#looks.delete(look);
    });
    return this.patches;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
    rmSync(this.credentialsFolder, { recursive: true });
  }

  async #take(request: IncomingMessage): Promise<void> {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const { authorization = '', 'content-type': contentType = '' } = request.headers;
    if (request.method !== 'PATCH' || request.url !== path)
      throw new Error(`${request.method} ${request.url}`);
    this.patches.push({ token: authorization, contentType, body: JSON.parse(text) });
    for (const look of this.#looks) look();
  }
}

const pod = {
  kind: 'Pod',
  apiVersion: 'v1',
  metadata: { name: 'worker-1' },
  spec: { note: 'x'.repeat(50_000) },
};
const forbidden = { kind: 'Status', status: 'Failure', message: 'pods "worker-1" is forbidden', code: 403 };

export const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

function makeCertificate(folder: string): Certificate {
  const [key, cert] = [join(folder, 'tls.key'), join(folder, 'ca.crt')];
  const { status, stderr } = spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-subj', '/CN=kubernetes', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert],
  ]);
  if (status !== 0) throw new Error(String(stderr));
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
}
