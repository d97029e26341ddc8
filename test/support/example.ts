// An example as a person runs it: its command, and the commands that its README tells to try.
import { resolve } from 'node:path';
import { freePorts } from '../../dev/free-port.ts';
import { HANG_MS } from './eventually.ts';
import { sectionBlock, shell } from './foreign-project.ts';
import { startFile } from './program.ts';
import { createDatabase, createVhost } from './servers.ts';

const root = resolve(import.meta.dirname, '../..');

export interface RunningExample extends AsyncDisposable {
  /** Of its first program. */
  url: string;
  databaseUrl: string;
  /** What it has printed. */
  text: readonly string[];
  /** One of its programs, as it has printed it. Throws where there is none of that name. */
  program(name: string): { url: string; pid: number };
  /** Ctrl-C. Resolves with its exit code. */
  stop(): Promise<number | null>;
  /** The output of each command below the heading "Try it", in order. */
  tryCommands(): Promise<string[]>;
}

/** Resolves when it says that it is ready. Its servers are those of the tests, its database is its own. */
export async function startExample(
  name: string,
  env: Readonly<Record<string, string>> = {},
): Promise<RunningExample> {
  await using started = new AsyncDisposableStack();
  const database = started.use(await createDatabase({ migrated: false }));
  const vhost = started.use(await createVhost());
  const [port = 0] = await freePorts(1);
  const given = { DATABASE_URL: database.url, AMQP_URL: vhost.url, PORT: String(port), ...env };
  const program = started.use(
    await startFile('dev/example.ts', given, [name, '--folder', '.services/test/examples']),
  );
  started.defer(async () => {
    program.signal('SIGTERM'); // it takes its programs with it
    await program.exited;
  });
  await program.waitForText(/Ctrl-C stops everything/, { timeoutMs: HANG_MS });
  const url = `http://localhost:${port}`;
  const stack = started.move();
  return {
    url,
    databaseUrl: database.url,
    text: program.text,
    program: (programName) => findProgram(program.text, programName),
    stop: async () => {
      program.signal('SIGINT');
      return (await program.exited).code;
    },
    tryCommands: async () => {
      const commands = sectionBlock(`examples/${name}/README.md`, 'Try it', 'sh').trim().split('\n');
      const outputs: string[] = [];
      for (const command of commands)
        outputs.push(await shell({ path: root }, command.replaceAll('http://localhost:3000', url)));
      return outputs;
    },
    [Symbol.asyncDispose]: async () => stack.disposeAsync(),
  };
}

function findProgram(text: readonly string[], name: string): { url: string; pid: number } {
  for (const line of text) {
    const [, printed, url = '', pid] = /^ +(\S+) +(http:\S+) +\(pid (\d+)\)$/.exec(line) ?? [];
    if (printed === name) return { url, pid: Number(pid) };
  }
  throw new Error(`no program ${name} was printed`);
}
