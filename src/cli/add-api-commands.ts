/**
 * Makes commander's commands of the table: nouns, verbs, arguments, options and help. No command has a handler of its own.
 */
import type { Command } from 'commander';
import { Argument, InvalidArgumentError, Option } from 'commander';
import { readAppModule, readCommandTarget } from '#shared/settings/config.ts';
import { apiCommands, nouns } from './api-commands.ts';
import type { ApiConnection } from './api-connection.ts';
import { connect } from './api-connection.ts';
import { buildRequest, parsePart } from './build-request.ts';
import type { CommandRequest, Part } from './request-parts.ts';
import { describeRequests } from './request-parts.ts';
import { runRequest } from './run-request.ts';
import { runStream } from './run-stream.ts';
import type { Terminal } from './terminal.ts';

/** What every command that asks the API takes. */
export interface ConnectionOptions {
  url?: string;
  app?: string;
}

const DEFAULT_WATCH_SECONDS = 2;

export const urlOption = [
  '--url <url>',
  'the API to ask; defaults to WARREN_URL, else DATABASE_URL is used',
] as const;
export const appOption = [
  '--app <module>',
  'on DATABASE_URL, the module that exports the application as `app`; defaults to WARREN_APP',
] as const;
export const jsonOption = ['--json', 'print what the API answers, for programs'] as const;

export async function openConnection({ url, app }: ConnectionOptions): Promise<ApiConnection> {
  return await connect(readCommandTarget(url), () => app ?? readAppModule());
}

export function addApiCommands(program: Command, terminal: Terminal): void {
  const parents = new Map<string, Command>();
  for (const request of describeRequests(apiCommands)) {
    const [noun = '', verb] = request.command.name.split(' ');
    if (verb === undefined) {
      addOne(program, noun, { request, terminal });
      continue;
    }
    const parent = parents.get(noun) ?? program.command(noun).description(nouns[noun] ?? noun);
    parents.set(noun, parent);
    addOne(parent, verb, { request, terminal });
  }
}

interface Added {
  request: CommandRequest;
  terminal: Terminal;
}

function addOne(parent: Command, name: string, { request, terminal }: Added): void {
  const command = parent.command(name).summary(request.summary).description(helpText(request));
  for (const part of request.parts)
    if (part.isArgument) command.addArgument(toArgument(part));
    else command.addOption(toOption(part));
  if (request.hasBody)
    command.option('--body <file>', 'a file with the whole request as JSON, or - for standard input');
  command.option(...jsonOption);
  if (request.method === 'GET' && request.command.isStream !== true)
    command.addOption(
      secondsOption('--watch [seconds]', 'look again every so many seconds, until Ctrl-C').preset(
        String(DEFAULT_WATCH_SECONDS),
      ),
    );
  command.option(...urlOption).option(...appOption);
  command.action(async () => {
    const options = command.opts<ConnectionOptions & { json?: true; watch?: number; body?: string }>();
    const built = buildRequest(request, given(command, request.parts), options.body);
    await using connection = await openConnection(options);
    const { json = false, watch } = options;
    if (request.command.isStream === true) return await runStream(connection, built, { json, terminal });
    return await runRequest(
      connection,
      { command: request.command, request: built },
      { options: { json, watch }, terminal },
    );
  });
}

function helpText({ summary, description, role }: CommandRequest): string {
  const sentences = [`${summary}.`, description, role === undefined ? '' : `Needs the role ${role}.`];
  return sentences.filter((sentence) => sentence !== '').join(' ');
}

/** Commander makes an empty text of null, so that it keeps the texts and they are read here. */
function given(command: Command, parts: readonly Part[]): Record<string, unknown> {
  const values = parts.filter(({ isArgument }) => isArgument);
  const options = command.opts();
  return Object.fromEntries(
    parts.map((part) => {
      const text: unknown = part.isArgument
        ? command.processedArgs[values.indexOf(part)]
        : options[toOption(part).attributeName()];
      if (Array.isArray(text)) return [part.name, text.map((each) => parsePart(part, `${each}`))];
      return [part.name, typeof text === 'string' ? parsePart(part, text) : text];
    }),
  );
}

function toArgument(part: Part): Argument {
  const argument = new Argument(part.isRequired ? `<${part.name}>` : `[${part.name}]`, describe(part));
  return argument.argParser((text) => checked(part, text));
}

function toOption(part: Part): Option {
  if (part.kind === 'flag') return new Option(`--${part.name}`, describe(part));
  const option = new Option(`--${part.name} <${part.valueName}>`, describe(part));
  option.argParser((text: string, before: unknown) =>
    part.isRepeatable ? [before ?? [], checked(part, text)].flat() : checked(part, text),
  );
  if (part.choices.length > 0) option.argChoices = [...part.choices];
  return option;
}

function checked(part: Part, text: string): string {
  parsePart(part, text);
  return text;
}

function describe({ description, kind, isRepeatable, isNullable, isArgument }: Part): string {
  const notes = [
    description.replaceAll('`', ''),
    isArgument && kind === 'json' ? 'JSON' : '',
    isNullable && !description.includes('null') ? 'or null' : '',
    isRepeatable ? 'may be repeated' : '',
  ];
  return notes.filter((note) => note !== '').join('; ');
}

export function secondsOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser(parseSeconds);
}

const MAX_COUNT = 1_000_000;

export function countOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser((text) => {
    const count = Number(text);
    if (Number.isInteger(count) && count >= 1 && count <= MAX_COUNT) return count;
    throw new InvalidArgumentError(`It is no whole number from 1 to ${MAX_COUNT}.`);
  });
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (seconds >= 0.1 && seconds <= 86_400) return seconds;
  throw new InvalidArgumentError('It is no number of seconds from 0.1 to 86400.');
}
