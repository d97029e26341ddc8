#!/usr/bin/env node
/**
 * The command `warren`: the programs and the migration of an application, and everything that can be asked of the API, by name.
 *
 * Exit codes: exit-code.ts. Nothing of a program is loaded before its name was read, and the programs do not load what only the other commands need.
 */
import { Command, CommanderError } from 'commander';
import { version } from '#shared/base/version.ts';
import { assertReachable } from '#shared/postgres/assert-reachable.ts';
import { migrate } from '#shared/postgres/migrate/migrate.ts';
import { settingsHelp } from '#shared/program/help.ts';
import { loadApp } from '#shared/program/load-app.ts';
import { readAppModule, readMigrationUrl } from '#shared/settings/config.ts';
import { exitCodeOfError, exitCodes, explainError } from './exit-code.ts';
import type { Terminal } from './terminal.ts';

const programs = ['api', 'worker', 'migrate'];

const program = new Command('warren')
  .description('Background jobs on RabbitMQ and Postgres: the programs of an application, and its operation.')
  .version(version)
  .showHelpAfterError(
    '(`warren --help` lists the commands, `warren COMMAND --help` the options and settings of one)',
  )
  .exitOverride();

const terminal: Terminal = {
  out: process.stdout,
  err: process.stderr,
  input: process.stdin,
  stopping: () => {
    const stopping = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.once(signal, () => stopping.abort());
    return stopping.signal;
  },
  setExitCode: (code) => {
    process.exitCode = code;
  },
};
process.stdout.on('error', endWithReader);

addProgram('api', 'serves the HTTP API until it is told to stop (SIGTERM, SIGINT)', async (module) => {
  const { runApi } = await import('#api/program.ts');
  await runApi(module);
});
addProgram(
  'worker',
  "runs the application's jobs until it is told to stop (SIGTERM, SIGINT)",
  async (module) => {
    const { runWorker } = await import('#worker/program.ts');
    await runWorker(module);
  },
);
addProgram(
  'migrate',
  'brings the schema of the database at DATABASE_URL up to date',
  async (module, { json }) => {
    const app = await loadApp(module);
    const databaseUrl = readMigrationUrl();
    await assertReachable(databaseUrl);
    const { applied } = await migrate({ databaseUrl, app });
    if (json) console.log(JSON.stringify({ applied }));
    else console.log(applied.length === 0 ? 'the schema is up to date' : `applied ${applied.join(', ')}`);
  },
);

try {
  if (!programs.includes(process.argv[2] ?? '')) {
    const { addCommands } = await import('./add-commands.ts');
    addCommands(program, terminal);
  }
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? exitCodes.done.code : exitCodes.usage.code; // it has said why
  } else {
    console.error(explainError(error));
    process.exitCode = exitCodeOfError(error);
  }
}

/** Each takes the application's module, which is loaded where the command runs. */
function addProgram(
  name: string,
  description: string,
  run: (module: string, options: { json: boolean }) => Promise<void>,
): void {
  program
    .command(name)
    .description(description)
    .option('--app <module>', 'the module that exports the application as `app`; defaults to WARREN_APP')
    .option('--json', 'print what it does as JSON; the api and the worker do so in any case')
    .addHelpText('after', () => `\nIts settings are environment variables:\n\n${settingsHelp()}`)
    .action(
      async ({ app, json = false }: { app?: string; json?: boolean }) =>
        await run(app ?? readAppModule(), { json }),
    );
}

/** `warren jobs list | head`: nobody reads on. */
function endWithReader(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
}
