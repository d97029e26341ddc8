/**
 * The commands `warren search-index create|drop|status`: straight on the database, as the role that migrates. Each change is in the audit.
 */
import type { Command } from 'commander';
import { openAudit } from '#queue/audit.ts';
import { assertCurrent } from '#shared/postgres/assert-reachable.ts';
import type { SearchIndex } from '#shared/postgres/search-index.ts';
import { createSearchIndex, dropSearchIndex, findSearchIndex } from '#shared/postgres/search-index.ts';
import { readMigrationUrl } from '#shared/settings/config.ts';
import { jsonOption } from './add-api-commands.ts';
import { personAtTerminal } from './person.ts';
import type { Terminal } from './terminal.ts';
import { textOptions } from './terminal.ts';
import { textMembers } from './text-table.ts';

interface Options {
  json?: boolean;
}

export function addSearchIndexCommands(program: Command, terminal: Terminal): void {
  const show = (answer: SearchIndex, { json = false }: Options) => {
    terminal.out.write(`${json ? JSON.stringify(answer) : textMembers(answer, textOptions(terminal))}\n`);
  };
  const noun = program
    .command('search-index')
    .description('The indexes by which rare texts are found among many jobs, for every job pays for them');
  noun
    .command('create')
    .summary('Make the indexes of texts, or those that are missing or broken')
    .description(
      'Make the indexes of texts on DATABASE_URL, as the role that migrates: those that are missing, and those that a broken build has left. Nobody is locked out; minutes for a million jobs. What jobs pay for them: docs/search.md.',
    )
    .option(...jsonOption)
    .action(async (options: Options) => show(await noted('create', createSearchIndex), options));
  noun
    .command('drop')
    .summary('Drop the indexes of texts')
    .description(
      'Drop the indexes of texts on DATABASE_URL, as the role that migrates. Searches go on without them.',
    )
    .option(...jsonOption)
    .action(async (options: Options) => show(await noted('drop', dropSearchIndex), options));
  noun
    .command('status')
    .summary('Whether the indexes of texts are there and valid, and how large they are')
    .description('Whether the indexes of texts on DATABASE_URL are there and valid, and how large they are.')
    .option(...jsonOption)
    .action(async (options: Options) => show(await findSearchIndex(await readTarget()), options));
}

async function noted(
  verb: 'create' | 'drop',
  act: (databaseUrl: string) => Promise<SearchIndex>,
): Promise<SearchIndex> {
  const databaseUrl = await readTarget();
  await using audit = openAudit(databaseUrl);
  const entry = {
    who: personAtTerminal(),
    role: 'admin',
    address: null,
    act: `indexes.${verb}`,
    target: 'search',
  };
  const detail = { command: `warren search-index ${verb}` };
  return await audit.record({ ...entry, detail }, () => act(databaseUrl));
}

/** A database that can be worked on. */
async function readTarget(): Promise<string> {
  const databaseUrl = readMigrationUrl();
  await assertCurrent(databaseUrl);
  return databaseUrl;
}
