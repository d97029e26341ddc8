// Containers of the images as a cluster would run them: no root, a root file system that is read-only, no capabilities, a memory limit.
// Guarantees: a container that was started is gone after `stop`, or after the runner's own grace.
import type { RunCommand } from '../command.ts';
import type { BuilderName } from './builders.ts';

export type Runner = { readonly name: string; readonly run: RunCommand };

export type ContainerOptions = {
  readonly runner: Runner;
  readonly image: string;
  readonly name: string;
  readonly env: Readonly<Record<string, string>>;
  readonly memory: string;
  /** Instead of the image's own program. */
  readonly command?: readonly string[];
};

export type ContainerExit = { readonly code: number; readonly logs: string; readonly stoppedAfterMs: number };

const commandTimeoutMs = 30_000;
/** Above the programs' drain time. */
const graceSeconds = 40;

/** docker or podman: buildah builds only. */
export async function findRunner({
  run,
  builder,
}: {
  run: RunCommand;
  builder: BuilderName;
}): Promise<Runner> {
  const names = builder === 'docker' ? ['docker'] : ['podman'];
  for (const name of names) {
    const { status } = await run(name, ['info'], { timeoutMs: commandTimeoutMs });
    if (status === 0) return { name, run };
  }
  throw new Error(`--check needs ${names.join(' or ')} to run what ${builder} has built`);
}

export class Container {
  readonly name: string;
  readonly #runner: Runner;

  private constructor({ runner, name }: ContainerOptions) {
    this.name = name;
    this.#runner = runner;
  }

  static async start(options: ContainerOptions): Promise<Container> {
    const { image, name, env, memory, command = [] } = options;
    const container = new Container(options);
    const variables = Object.entries(env).flatMap(([key, value]) => ['--env', `${key}=${value}`]);
    const [first, ...rest] = command;
    const entrypoint = first === undefined ? [] : ['--entrypoint', first];
    // podman would give it folders in memory to write to.
    const strictly = options.runner.name === 'podman' ? ['--read-only-tmpfs=false'] : [];
    await container.#must([
      ...['run', '--detach', '--name', name, '--network', 'host', '--read-only', '--cap-drop', 'all'],
      ...strictly,
      ...['--security-opt', 'no-new-privileges', '--memory', memory, ...variables, ...entrypoint],
      ...[image, ...rest],
    ]);
    return container;
  }

  async isRunning(): Promise<boolean> {
    return (await this.#inspect('{{.State.Running}}')) === 'true';
  }

  /** Runs another command in it. */
  async execute(command: readonly string[]): Promise<{ status: number; stdout: string }> {
    return await this.#runner.run(this.#runner.name, ['exec', this.name, ...command], {
      timeoutMs: commandTimeoutMs,
    });
  }

  async logs(): Promise<string> {
    const { stdout, stderr } = await this.#runner.run(this.#runner.name, ['logs', this.name], {
      timeoutMs: commandTimeoutMs,
    });
    return `${stdout}\n${stderr}`.trim();
  }

  /** Waits until it ends by itself. */
  async ended(timeoutMs: number): Promise<number> {
    const { status, stdout } = await this.#runner.run(this.#runner.name, ['wait', this.name], { timeoutMs });
    return status === 0 ? Number(stdout.trim()) : Number.NaN;
  }

  /** SIGTERM to process 1, and its exit code; then the container is removed. */
  async stop(): Promise<ContainerExit> {
    const startedAt = performance.now();
    await this.#runner.run(this.#runner.name, ['stop', '--time', String(graceSeconds), this.name], {
      timeoutMs: (graceSeconds + 20) * 1_000,
    });
    const stoppedAfterMs = performance.now() - startedAt;
    const code = Number(await this.#inspect('{{.State.ExitCode}}'));
    const logs = await this.logs();
    await this.remove();
    return { code, logs, stoppedAfterMs };
  }

  async remove(): Promise<void> {
    await this.#runner.run(this.#runner.name, ['rm', '--force', this.name], { timeoutMs: commandTimeoutMs });
  }

  async #inspect(format: string): Promise<string> {
    return (await this.#must(['inspect', '--format', format, this.name])).trim();
  }

  async #must(args: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await this.#runner.run(this.#runner.name, args, {
      timeoutMs: commandTimeoutMs,
    });
    if (status !== 0)
      throw new Error(`${this.#runner.name} ${args[0]} failed: ${stderr.trim() || stdout.trim()}`);
    return stdout;
  }
}
