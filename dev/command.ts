// Runs a short command to its end, with a deadline, and hands back what it printed.
// Never throws for a command that fails, is missing (status 127) or takes too long (status 124): the caller decides.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export type CommandResult = { readonly status: number; readonly stdout: string; readonly stderr: string };

export type CommandOptions = {
  readonly timeoutMs: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** Called with each line of either output, as it comes. */
  readonly onLine?: (line: string) => void;
};

export type RunCommand = (
  command: string,
  args: readonly string[],
  options: CommandOptions,
) => Promise<CommandResult>;

export const runCommand: RunCommand = (command, args, { timeoutMs, onLine, ...options }) =>
  new Promise((resolve) => {
    const { uid, gid, ...rest } = options;
    const owner = { ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }) };
    const child = spawn(command, args, { ...rest, ...owner, stdio: ['ignore', 'pipe', 'pipe'] });
    const stdout: string[] = [];
    const stderr: string[] = [];
    const finish = (status: number) => {
      clearTimeout(deadline);
      child.stdout.destroy();
      child.stderr.destroy();
      resolve({ status, stdout: stdout.join('\n'), stderr: stderr.join('\n') });
    };
    const deadline = setTimeout(() => {
      stderr.push(`${command} did not finish within ${timeoutMs} ms`);
      child.kill('SIGKILL');
      finish(124);
    }, timeoutMs);
    for (const [stream, lines] of [[child.stdout, stdout] as const, [child.stderr, stderr] as const]) {
      createInterface({ input: stream }).on('line', (line) => {
        lines.push(line);
        onLine?.(line);
      });
    }
    child.once('error', (error) => {
      stderr.push(error.message);
      finish(127);
    });
    child.once('close', (code) => finish(code ?? 128));
  });
