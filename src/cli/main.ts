#!/usr/bin/env node
/**
 * The command `warren`: the programs and the migration of an application, by name. Settings in the environment, as for the programs.
 *
 * Exit codes: 0 after a clean end, 1 with one readable line where something is wrong. Nothing of a program is loaded before its name was read.
 */
import { Command } from 'commander';
import { errorMessage, Misconfigured } from '#shared/base/errors.ts';
import { version } from '#shared/base/version.ts';
import { migrate } from '#shared/postgres/migrate/migrate.ts';
import { settingsHelp } from '#shared/program/help.ts';
import { loadApp } from '#shared/program/load-app.ts';
import { readAppModule, readMigrationUrl } from '#shared/settings/config.ts';

const program = new Command('warren')
  .description('Background jobs on RabbitMQ and Postgres: the programs of an application.')
  .version(version)
  .showHelpAfterError(
    '(`warren --help` lists the commands, `warren COMMAND --help` the options and settings of one)',
  );

addCommand('api', 'serves the HTTP API until it is told to stop (SIGTERM, SIGINT)', async (module) => {
  const { runApi } = await import('#api/program.ts');
  await runApi(module);
});
addCommand(
  'worker',
  "runs the application's jobs until it is told to stop (SIGTERM, SIGINT)",
  async (module) => {
    const { runWorker } = await import('#worker/program.ts');
    await runWorker(module);
  },
);
addCommand('migrate', 'brings the schema of the database at DATABASE_URL up to date', async (module) => {
  const app = await loadApp(module);
  const { applied } = await migrate({ databaseUrl: readMigrationUrl(), app });
  console.log(applied.length === 0 ? 'the schema is up to date' : `applied ${applied.join(', ')}`);
});

try {
  await program.parseAsync();
} catch (error) {
  console.error(error instanceof Misconfigured ? error.message : errorMessage(error));
  process.exitCode = 1;
}

/** Each takes the application's module, which is loaded where the command runs. */
function addCommand(name: string, description: string, run: (module: string) => Promise<void>): void {
  program
    .command(name)
    .description(description)
    .option('--app <module>', 'the module that exports the application as `app`; defaults to WARREN_APP')
    .addHelpText('after', () => `\nIts settings are environment variables:\n\n${settingsHelp()}`)
    .action(async ({ app }: { app?: string }) => await run(app ?? readAppModule()));
}
