/**
 * All commands beside the programs: those of the table, those with a shape of their own, and completion for shells.
 */
import tab from '@bomb.sh/tab/commander';
import type { Command } from 'commander';
import { addApiCommands } from './add-api-commands.ts';
import { addDoctor } from './doctor.ts';
import { addSearchIndexCommands } from './search-index-commands.ts';
import { addServerCommands } from './server-commands.ts';
import type { Terminal } from './terminal.ts';
import { addTop } from './top.ts';

export function addCommands(program: Command, terminal: Terminal): void {
  addOwnCommands(program, terminal);
  tab(program, { completionCommandName: 'completion' });
}

/** Without completion, which exists once in a process. */
export function addOwnCommands(program: Command, terminal: Terminal): void {
  addApiCommands(program, terminal);
  addTop(program, terminal);
  addDoctor(program, terminal);
  addServerCommands(program, terminal);
  addSearchIndexCommands(program, terminal);
}
