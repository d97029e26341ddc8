// Where alerts are provoked: the real API and workers on a database and a vhost of their own, some of them through proxies that can be cut, watched by a
// Prometheus.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type postgres from 'postgres';
import { freePorts } from '../../../dev/free-port.ts';
import { asAdministrator } from '../../support/administrator.ts';
import { documentedPermissions } from '../../support/documented.ts';
import { eventually, HANG_MS } from '../../support/eventually.ts';
import type { FaultyProxy } from '../../support/faulty-proxy.ts';
import { startFaultyProxy } from '../../support/faulty-proxy.ts';
import type { Program } from '../../support/program.ts';
import { startProgram } from '../../support/program.ts';
import type { TestDatabase, TestVhost } from '../../support/servers.ts';
import { asRole, asUser, createDatabase, createVhost, setRolesForPooler } from '../../support/servers.ts';
import { AlertWatch } from './watch.ts';

/** Each worker, and what it is there for. */
const workers = {
  /** Runs what has no worker of its own. */
  main: 'default:1:10,paused:1:10,returned:1:10,crash:1:10',
  /** Has little room for arguments. */
  small: 'large:1:10',
  /** Holds its advisory lock through a proxy. */
  cutOff: 'lonely:1:10',
  /** Blocks its event loop. */
  spinner: 'spin:1:10',
  /** Is killed again and again. */
  crasher: 'crash:1:10',
  /** Has a user of RabbitMQ of its own, who may not do everything. */
  denied: 'denied:1:10',
  /** Cannot write its log. */
  mute: 'default:1:10',
} as const;

export type WorkerName = keyof typeof workers;
export type ProgramName = 'api' | WorkerName;

const names = ['api', ...(Object.keys(workers) as WorkerName[])] as const;
/** Those whose coming is a cause. */
const late: readonly ProgramName[] = ['denied', 'mute'];

const TOKEN = 'alerts-test-token';
export class AlertStage implements AsyncDisposable {
  readonly database: TestDatabase;
  readonly vhost: TestVhost;
  /** Between the programs and RabbitMQ. */
  readonly broker: FaultyProxy;
  /** Between the worker `cutOff` and Postgres, for its advisory lock alone. */
  readonly presence: FaultyProxy;
  readonly #programs = new Map<ProgramName, Program>();
  readonly #ports: Readonly<Record<ProgramName, number>>;
  readonly #folder: string;
  readonly #stack: AsyncDisposableStack;
  #watch: AlertWatch | undefined;
  #files = 0;

  private constructor(parts: Parts) {
    this.database = parts.database;
    this.vhost = parts.vhost;
    this.broker = parts.broker;
    this.presence = parts.presence;
    this.#ports = parts.ports;
    this.#folder = parts.folder;
    this.#stack = parts.stack;
  }

  /** The programs do not run yet. */
  static async open(): Promise<AlertStage> {
    await using stack = new AsyncDisposableStack();
    const folder = mkdtempSync(join(tmpdir(), 'warren-alerts-'));
    stack.defer(() => rmSync(folder, { recursive: true }));
    const database = stack.use(await createDatabase());
    await setRolesForPooler(database); // so that a worker may hold its lock by a way of its own
    const vhost = stack.use(await createVhost());
    stack.defer(() => vhost.management.deleteUser(`${vhost.name}_denied`));
    const broker = stack.use(await startFaultyProxy(vhost.url));
    const presence = stack.use(await startFaultyProxy(database.url));
    const free = await freePorts(names.length);
    const ports = Object.fromEntries(names.map((name, index) => [name, free[index]])) as Parts['ports'];
    return new AlertStage({ database, vhost, broker, presence, ports, folder, stack: stack.move() });
  }

  /** Starts a program and waits until it is ready; with `isReady` false, until it runs. */
  async start(name: ProgramName, { isReady = true } = {}): Promise<void> {
    const program = await startProgram(name === 'api' ? 'api' : 'worker', this.environment(name));
    this.#programs.set(name, program);
    if (!isReady) return;
    await Promise.race([
      this.#ready(name),
      program.exited.then(() => program.waitForLog('a line that tells why it has ended')),
    ]);
  }

  /** Starts the API and all workers but those whose coming is a cause; then the watch. The worker `main` leads. */
  async startAll(): Promise<void> {
    await Promise.all([this.start('api'), this.start('main')]);
    const others = names.filter((name) => !late.includes(name) && !this.#programs.has(name));
    await Promise.all(others.map((name) => this.start(name)));
    const [api, ...workerPods] = names.map((name) => this.pod(name));
    const targets = { 'warren-api': [api ?? ''], 'warren-worker': workerPods };
    this.#watch = this.#stack.use(await AlertWatch.start(targets, TOKEN));
  }

  get watch(): AlertWatch {
    if (this.#watch === undefined) throw new Error('startAll starts it');
    return this.#watch;
  }

  async kill(...names: ProgramName[]): Promise<void> {
    await Promise.all(names.map((name) => this.#programs.get(name)?.[Symbol.asyncDispose]()));
  }

  get running(): ProgramName[] {
    return [...this.#programs.keys()];
  }

  environment(name: ProgramName): Record<string, string> {
    const kind = name === 'api' ? 'api' : 'worker';
    const port = String(this.#ports[name]);
    return {
      WARREN_APP: join(import.meta.dirname, 'app.ts'),
      DATABASE_URL: asRole(this.database.url, kind),
      AMQP_URL: through(this.broker, name === 'denied' ? this.#deniedUrl : asUser(this.vhost.url, kind)),
      ...(kind === 'api'
        ? { PORT: port, API_TOKEN: TOKEN, DATABASE_POOL_MAX: '3' }
        : { WORKER_HEALTH_PORT: port, WORKER_QUEUES: workers[name as WorkerName] }),
      ...(name === 'small' ? { WORKER_ARGS_MAX_BYTES: '65536' } : {}),
      ...(name === 'cutOff'
        ? { DATABASE_DIRECT_URL: through(this.presence, asRole(this.database.url, 'worker')) }
        : {}),
    };
  }

  /** What the alerts call a program. */
  pod(name: ProgramName): string {
    return `127.0.0.1:${this.#ports[name]}`;
  }

  /** A request to the API, repeated while it is answered with 503, as clients should. Throws where it is not answered with 2xx then. */
  async ask<T>(method: string, path: string, body?: object): Promise<T> {
    const key = randomUUID();
    const response = await eventually(
      () => this.request(method, path, { body, headers: { 'idempotency-key': key } }),
      ({ status }) => status !== 503,
      { everyMs: 250 },
    );
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  /** Once, whatever the answer. */
  async request(
    method: string,
    path: string,
    { body, headers = {} }: RequestOptions = {},
  ): Promise<Response> {
    return await fetch(`http://${this.pod('api')}${path}`, {
      method,
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(HANG_MS),
    });
  }

  /** Enqueues a job over HTTP; returns its id. */
  async enqueue(type: string, args: object, options: object = {}): Promise<string> {
    return (await this.ask<{ job: { id: string } }>('POST', '/v1/jobs', { type, args, ...options })).job.id;
  }

  /** A job that ends as soon as it runs. */
  async enqueueQuick(options: object): Promise<string> {
    const end = this.newFile();
    end.write();
    return await this.enqueue('hold', { until: end.path }, options);
  }

  async untilState(id: string, ...states: string[]): Promise<void> {
    await eventually(
      async () =>
        (await this.sql((sql) => sql`select state from warren.jobs where id = ${id}`))[0]?.['state'],
      (state) => states.includes(String(state)),
    );
  }

  /** Says what the user of the worker `denied` may read in RabbitMQ; makes the user. */
  async permitDenied(read: string): Promise<void> {
    await this.vhost.management.createUser({
      name: `${this.vhost.name}_denied`,
      password: this.vhost.name,
      permissions: { ...documentedPermissions('warren_worker'), read },
    });
  }

  /** Resolves when Prometheus has seen the process that runs now under this name. */
  async scraped(name: ProgramName): Promise<void> {
    const startTime = await eventually(
      () => this.#startTime(name).catch(() => undefined), // it does not listen yet
      (time) => time !== undefined,
    );
    await this.watch.scraped(this.pod(name), startTime ?? 0);
  }

  /** A statement of an administrator, past every proxy. */
  async sql<T>(statement: (sql: postgres.Sql) => Promise<T>): Promise<T> {
    return await asAdministrator(this.database.url, statement);
  }

  /** A file that is not there yet, and what writes it. */
  newFile(): { path: string; write: () => void } {
    this.#files += 1;
    const path = join(this.#folder, `file-${this.#files}`);
    return { path, write: () => writeFileSync(path, '') };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill(...this.running);
    await this.#stack.disposeAsync();
  }

  get #deniedUrl(): string {
    const url = new URL(this.vhost.url);
    url.username = `${this.vhost.name}_denied`;
    url.password = this.vhost.name;
    return url.href;
  }

  async #startTime(name: ProgramName): Promise<number> {
    const headers = { authorization: `Bearer ${TOKEN}` };
    const metrics = await (await fetch(`http://${this.pod(name)}/metrics`, { headers })).text();
    return Number(/^process_start_time_seconds (\S+)$/m.exec(metrics)?.[1]);
  }

  async #ready(name: ProgramName): Promise<void> {
    await eventually(
      () =>
        fetch(`http://${this.pod(name)}/readyz`).then(
          ({ status }) => status,
          () => 0,
        ),
      (status) => status === 200,
      { everyMs: 100 },
    );
  }
}

interface RequestOptions {
  body?: object | undefined;
  headers?: Record<string, string>;
}

interface Parts {
  database: TestDatabase;
  vhost: TestVhost;
  broker: FaultyProxy;
  presence: FaultyProxy;
  ports: Readonly<Record<ProgramName, number>>;
  folder: string;
  stack: AsyncDisposableStack;
}

/** The same URL, by way of the proxy. */
function through(proxy: FaultyProxy, url: string): string {
  const changed = new URL(url);
  changed.host = new URL(proxy.url).host;
  return changed.href;
}
