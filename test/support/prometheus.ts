// A Prometheus of the distribution's package on a free port of loopback, with a folder of its own.
// Guarantees: it is dead, and its folder gone, once disposed of; it ends with this process, too.
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { freePorts } from '../../dev/free-port.ts';
import { eventually } from './eventually.ts';

/** An alert that is pending or firing. `labels` has `alertname`. */
export interface ActiveAlert {
  labels: Readonly<Record<string, string>>;
  state: 'pending' | 'firing';
}

interface Sample {
  metric: Readonly<Record<string, string>>;
  value: readonly [number, string];
}

const ASK_TIMEOUT_MS = 10_000;

export class Prometheus implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #url: string;
  readonly #folder: string;
  readonly #kill = () => this.#child.kill('SIGKILL');

  private constructor(child: ChildProcess, url: string, folder: string) {
    this.#child = child;
    this.#url = url;
    this.#folder = folder;
    process.once('exit', this.#kill);
  }

  /** Resolves when it answers. `config` and the files beside it, by name, are written as YAML; the configuration names them without a path. */
  static async start(config: object, files: Readonly<Record<string, unknown>> = {}): Promise<Prometheus> {
    const folder = mkdtempSync(join(tmpdir(), 'warren-prometheus-'));
    const [port = 0] = await freePorts(1);
    for (const [name, content] of Object.entries({ ...files, 'prometheus.yaml': config }))
      writeFileSync(join(folder, name), typeof content === 'string' ? content : stringify(content));
    const args = [
      `--config.file=${join(folder, 'prometheus.yaml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=warn',
    ];
    const child = spawn('prometheus', args, { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] });
    await once(child, 'spawn');
    const started = new Prometheus(child, `http://127.0.0.1:${port}`, folder);
    await eventually(
      () =>
        fetch(`${started.#url}/-/ready`).then(
          ({ ok }) => ok || child.exitCode !== null,
          () => child.exitCode !== null,
        ),
      Boolean,
    );
    if (child.exitCode !== null) throw new Error(`prometheus ended with ${child.exitCode}`);
    return started;
  }

  /** What is pending or firing now. */
  async alerts(): Promise<ActiveAlert[]> {
    return (await this.#ask<{ alerts: ActiveAlert[] }>('alerts')).alerts;
  }

  /** The value of an expression now. */
  async query(expression: string): Promise<Sample[]> {
    return (await this.#ask<{ result: Sample[] }>(`query?query=${encodeURIComponent(expression)}`)).result;
  }

  async #ask<T>(path: string): Promise<T> {
    const response = await fetch(`${this.#url}/api/v1/${path}`, {
      signal: AbortSignal.timeout(ASK_TIMEOUT_MS),
    });
    const answer = (await response.json()) as { data: T; error?: string };
    if (!response.ok) throw new Error(`${path}: ${answer.error}`);
    return answer.data;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off('exit', this.#kill);
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, 'exit');
      this.#kill();
      await exited;
    }
    rmSync(this.#folder, { recursive: true });
  }
}
