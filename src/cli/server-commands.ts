/**
 * The commands that work on the servers themselves and stand for no request: `rebuild` and `bench`. Those of the search index are in search-index-commands.ts.
 */
import type { Command } from 'commander';
import { openAudit } from '#queue/audit.ts';
import { Misconfigured } from '#shared/base/errors.ts';
import { assertCurrent } from '#shared/postgres/assert-reachable.ts';
import { republishJobs } from '#shared/postgres/republish.ts';
import { readCommandTarget, readMigrationUrl } from '#shared/settings/config.ts';
import { countOption, jsonOption } from './add-api-commands.ts';
import { personAtTerminal } from './person.ts';
import type { Terminal } from './terminal.ts';
import { textOptions } from './terminal.ts';
import { textMembers } from './text-table.ts';

export function addServerCommands(program: Command, terminal: Terminal): void {
  const show = (answer: object, json: boolean) =>
    terminal.out.write(`${json ? JSON.stringify(answer) : textMembers(answer, textOptions(terminal))}\n`);
  program
    .command('rebuild')
    .summary('After the broker was replaced: have every waiting job published again')
    .description(
      'After the broker was replaced: have every waiting job of DATABASE_URL published again. Harmless at any time.',
    )
    .option(...jsonOption)
    .action(async ({ json = false }: { json?: boolean }) => {
      const databaseUrl = readMigrationUrl();
      await assertCurrent(databaseUrl);
      await using audit = openAudit(databaseUrl);
      const entry = {
        who: personAtTerminal(),
        role: 'admin',
        address: null,
        act: 'jobs.republish',
        target: null,
      };
      const detail = { command: 'warren rebuild' };
      show({ republished: await audit.record({ ...entry, detail }, () => republishJobs(databaseUrl)) }, json);
    });
  program
    .command('bench')
    .summary('Enqueue and run trivial jobs on DATABASE_URL and AMQP_URL, and tell how fast that was')
    .description(
      'Enqueue and run trivial jobs on DATABASE_URL and AMQP_URL, in a queue of their own, and tell how fast that was: with one worker, in this process. The jobs are kept for a minute; the queue stays, empty, for no role of the programs may delete the names of queues and types. Not beside work that is in a hurry.',
    )
    .addOption(countOption('--jobs <number>', 'how many').default(5_000))
    .option(...jsonOption)
    .action(async ({ jobs, json = false }: { jobs: number; json?: boolean }) => {
      const target = readCommandTarget(undefined);
      if (target.kind === 'api')
        throw new Misconfigured('WARREN_URL is set: this works on DATABASE_URL alone');
      const { bench } = await import('./bench.ts');
      show(await bench(target, jobs), json);
    });
}
