// The command `warren` within the process of a test: what it writes, and how it would end. Settings are stubbed in the environment meanwhile.
import { Writable } from 'node:stream';
import { Command, CommanderError } from 'commander';
import { vi } from 'vitest';
import { addApiCommands } from '../../src/cli/add-api-commands.ts';
import { exitCodeOfError, exitCodes, explainError } from '../../src/cli/exit-code.ts';
import type { Terminal } from '../../src/cli/terminal.ts';

export interface CommandEnd {
  code: number;
  out: string;
  err: string;
}

export interface TestTerminal extends Terminal {
  readonly written: { out: string; err: string };
  code: number;
}

/** What the machine of the tests may have set. */
const STUBBED = ['WARREN_URL', 'WARREN_TOKEN', 'DATABASE_URL', 'AMQP_URL', 'RABBITMQ_MANAGEMENT_URL'];

/** `stopping`: what Ctrl-C would abort. */
export function createTerminal(stopping: AbortSignal = new AbortController().signal): TestTerminal {
  const written = { out: '', err: '' };
  const keep = (to: 'out' | 'err') =>
    new Writable({
      write: (chunk, _, done) => {
        written[to] += chunk;
        done();
      },
    });
  const terminal: TestTerminal = {
    written,
    code: 0,
    out: keep('out'),
    err: keep('err'),
    input: process.stdin,
    stopping: () => stopping,
    setExitCode: (code) => {
      terminal.code = code;
    },
  };
  return terminal;
}

/** `see` gets each thing that is written, instead of `written.out`, and what stands for Ctrl-C. */
export function createWatchedTerminal(see: (text: string, stop: () => void) => void): TestTerminal {
  const enough = new AbortController();
  const terminal = createTerminal(enough.signal);
  terminal.out = new Writable({
    write: (chunk, _, done) => {
      see(`${chunk}`, () => enough.abort());
      done();
    },
  });
  return terminal;
}

export async function runWarren(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  { terminal = createTerminal(), add = addApiCommands } = {},
): Promise<CommandEnd> {
  for (const name of STUBBED) vi.stubEnv(name, undefined);
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  const { out, err } = terminal;
  const program = new Command('warren')
    .exitOverride()
    .configureOutput({ writeOut: (text) => out.write(text), writeErr: (text) => err.write(text) });
  try {
    add(program, terminal);
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    terminal.code =
      error instanceof CommanderError
        ? Math.min(error.exitCode, 1) * exitCodes.usage.code
        : exitCodeOfError(error);
    if (!(error instanceof CommanderError)) err.write(explainError(error));
  } finally {
    vi.unstubAllEnvs();
  }
  return { code: terminal.code, ...terminal.written };
}
