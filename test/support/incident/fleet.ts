// The programs that docs/incident.md is played against: an API, a worker that is started again whenever it dies, and proxies before both servers. Commands
// are run by a shell, as they stand on the page.
// Guarantees: everything is stopped and dropped when it is disposed of.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import postgres from 'postgres';
import type { CommandResult } from '../../../dev/command.ts';
import { runCommand } from '../../../dev/command.ts';
import { eventually, HANG_MS } from '../eventually.ts';
import type { FaultyProxy } from '../faulty-proxy.ts';
import { startFaultyProxy } from '../faulty-proxy.ts';
import type { Program } from '../program.ts';
import { startFile } from '../program.ts';
import type { TestDatabase } from '../servers.ts';
import { asRole, asUser, createDatabase, createVhost } from '../servers.ts';
import type { Fault } from './app.ts';

const root = resolve(import.meta.dirname, '../../..');
const command = 'src/cli/main.ts';
const token = 'the-token-of-the-night';

/** Nothing of it is there before `start`. */
export class IncidentFleet implements AsyncDisposable {
  postgres!: FaultyProxy;
  rabbitmq!: FaultyProxy;
  /** An administrator's, past the proxy. */
  sql!: postgres.Sql;
  database!: TestDatabase;
  url = '';
  /** What the page says in minute 0, with the values of this fleet. */
  exports = '';
  startedAt = '';
  #vhostUrl = '';
  readonly #folder = mkdtempSync(join(tmpdir(), 'warren-incident-'));
  readonly #stack = new AsyncDisposableStack();
  #worker: Program | undefined;
  #supervision: Promise<void> = Promise.resolve();
  #isSupervised = false;

  async start(): Promise<void> {
    this.startedAt = new Date().toISOString();
    this.#stack.defer(() => rmSync(this.#folder, { recursive: true }));
    this.database = this.#stack.use(await createDatabase());
    const vhost = this.#stack.use(await createVhost());
    this.#vhostUrl = vhost.url;
    this.postgres = this.#stack.use(await startFaultyProxy(this.database.url));
    this.rabbitmq = this.#stack.use(await startFaultyProxy(vhost.url));
    this.sql = postgres(this.database.url, { max: 1, onnotice: () => {} });
    this.#stack.defer(async () => await this.sql.end());
    const bin = join(this.#folder, 'warren');
    writeFileSync(bin, `#!/bin/sh\nexec "${process.execPath}" "${join(root, command)}" "$@"\n`);
    chmodSync(bin, 0o755);
    writeFileSync(join(this.#folder, '.warren-token'), token);
    const api = this.#stack.use(
      await startFile(command, { ...this.#settings('api'), API_TOKEN: token, PORT: '0' }, ['api']),
    );
    this.url = String((await api.waitForLog('api serving'))['url']);
    this.supervise();
    await eventually(
      () => this.sql`select from warren.workers where beat_at > now() - interval '5 s'`,
      (living) => living.length === 1,
    );
  }

  /** From now on a worker that has ended is started again. */
  supervise(): void {
    this.#isSupervised = true;
    this.#supervision = (async () => {
      while (this.#isSupervised) {
        await using worker = await startFile(command, this.#settings('worker'), ['worker']);
        this.#worker = worker;
        if (this.#isSupervised) await worker.exited;
      }
    })();
  }

  /** The worker is killed, and not started again. */
  async killWorker(): Promise<void> {
    this.#isSupervised = false;
    this.#worker?.signal('SIGKILL');
    await this.#supervision;
  }

  /** A program that somebody starts by hand, with the settings of the workers: `warren worker`. */
  async startByHand(line: string): Promise<Program> {
    const [, ...args] = line.split(' ');
    return this.#stack.use(await startFile(command, this.#settings('worker'), args));
  }

  break(fault: Fault): void {
    writeFileSync(join(this.#folder, fault), '');
  }

  mend(fault: Fault): void {
    rmSync(join(this.#folder, fault));
  }

  async post(path: string, body: unknown = {}): Promise<Response> {
    return await fetch(`${this.url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  }

  /** Returns their ids. */
  async enqueue(count: number, job: { type: string } & Record<string, unknown>): Promise<string[]> {
    const jobs = Array.from({ length: count }, () => ({ args: {}, ...job }));
    const response = await this.post('/v1/jobs/batch', { jobs });
    if (response.status !== 202)
      throw new Error(`answered with ${response.status}: ${await response.text()}`);
    return ((await response.json()) as { ids: string[] }).ids;
  }

  /** Waits until so many jobs of the type are in these states. */
  async until(type: string, states: readonly string[], wanted: number): Promise<void> {
    await eventually(
      async () => {
        const counts = await this.sql<{ state: string; count: number }[]>`
          select state, count(*)::int from warren.jobs where type = ${type} group by state`;
        return Object.fromEntries(counts.map(({ state, count }) => [state, count]));
      },
      (counts) => states.reduce((sum, state) => sum + (counts[state] ?? 0), 0) === wanted,
    );
  }

  /** As if what waits had done so for two minutes more. */
  async age(): Promise<void> {
    await this.sql`
      update warren.jobs set run_at = run_at - interval '2 min', relay_at = relay_at - interval '2 min'
      where state = 'available' or state = 'held'`;
  }

  /** Runs lines of the page by a shell, after those of minute 0. */
  async play(lines: string): Promise<CommandResult> {
    return await runCommand('bash', ['-c', `${this.exports}\n${lines}`], {
      cwd: this.#folder,
      env: { PATH: `${this.#folder}:/usr/bin:/bin`, HOME: this.#folder, NO_COLOR: '1' },
      timeoutMs: HANG_MS,
    });
  }

  /** What stands for them in the lines of minute 0. */
  get ownNames(): Record<string, string> {
    return {
      'https://jobs.example.com': this.url,
      'postgres://admin@db.example.com/warren': this.postgres.url,
      'amqps://admin@mq.example.com': this.rabbitmq.url,
      './app.js': join(import.meta.dirname, 'app.ts'),
    };
  }

  #settings(program: 'api' | 'worker'): Record<string, string> {
    const broker = new URL(asUser(this.#vhostUrl, program));
    broker.host = new URL(this.rabbitmq.url).host;
    return {
      DATABASE_URL: asRole(this.postgres.url, program),
      AMQP_URL: broker.href,
      WARREN_APP: join(import.meta.dirname, 'app.ts'),
      WORKER_HEALTH_PORT: '0',
      INCIDENT_FOLDER: this.#folder,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.killWorker();
    await this.#stack.disposeAsync();
  }
}
