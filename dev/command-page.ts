// docs/command-line.md, made from the commands themselves: their arguments, options and routes, and the table of exit codes.
import { Command } from 'commander';
import { addOwnCommands } from '../src/cli/add-commands.ts';
import { apiCommands } from '../src/cli/api-commands.ts';
import { exitCodes } from '../src/cli/exit-code.ts';
import type { Terminal } from '../src/cli/terminal.ts';
import { allChecks } from '../src/queue/doctor/doctor.ts';
import { commandSettings } from '../src/shared/settings/command-settings.ts';

/** Options of every command that asks the API, which are told of once. */
const COMMON = new Set(['--json', '--url', '--app', '--watch', '--body', '--help']);

export function commandPage(derived: string): string {
  return `# The command line

${derived}

\`npx warren …\` in a project that has the package, and in this repository once it is installed (\`npm start\` does that): the programs, and everything that the API can, for people and for scripts.

\`\`\`sh
export WARREN_URL=https://jobs.example.com WARREN_TOKEN_FILE=~/.warren-token
warren jobs list --state discarded --type deliver-webhook
warren jobs enqueue process-order '{"orderId":"42"}' --unique-key order-42
warren jobs bulk retry --state discarded --finished-after 2026-01-31T00:00:00Z --dry-run
warren queues list --watch
warren queues set reports --prefetch 2
warren jobs show 4711 --wait 60 --json | jq .job.output
\`\`\`

**Over HTTP, or on the servers.** With \`WARREN_URL\` (or \`--url\`) the command asks that API, with the token in \`WARREN_TOKEN\`, whose [role](access.md) decides. Without it the command works on
\`DATABASE_URL\` itself, and on \`AMQP_URL\` where that is set, with the same code as the API in the same process, and the application that \`WARREN_APP\` (or \`--app\`) names: it needs the grants of the API
([security](security.md)), and no token. The answers are the same.

| setting | meaning |
|---|---|
${Object.entries<{ meaning: string; secret?: true }>(commandSettings)
  .map(
    ([name, { meaning, secret }]) => `| \`${name}\` | ${meaning}${secret ? `. Or \`${name}_FILE\`` : ''} |`,
  )
  .join('\n')}

**For programs**: \`--json\` prints what the API answers, byte for byte; where that is a problem, the problem. **For people**: tables, cut at the width of the terminal, in colours on a terminal only
(\`NO_COLOR\` is honoured). \`--watch [seconds]\` looks again until Ctrl-C. \`--body FILE\` (\`-\`: standard input) is a whole request as JSON; what is given by options wins over it. An argument or an option that
is JSON stands in quotes for the shell: \`'{"days":7}'\`. What may be repeated is given several times: \`--tag a --tag b\`.

**A live view**: \`warren top\`, and \`warren top --pods\` with the pods and the autoscalers of a fleet on Kubernetes ([scale-out](scale-out.md#in-the-terminal)); \`--once\` looks once, \`--json\` prints each look as one line.

**Completion**: \`source <(warren completion bash)\`, \`source <(warren completion zsh)\`, \`warren completion fish | source\`; in the shell's start file for good. It is of the command \`warren\`
itself, which must be on the PATH (\`npm install --global warren-*.tgz\`, or \`PATH=$PWD/node_modules/.bin:$PATH\`); bash needs the package \`bash-completion\`.

| exit code | |
|---|---|
${Object.values(exitCodes)
  .map(({ code, meaning }) => `| ${code} | ${meaning} |`)
  .join('\n')}

## The programs

| command | |
|---|---|
| \`warren api\` | the HTTP API, until it is told to stop |
| \`warren worker\` | runs the application's jobs, until it is told to stop |
| \`warren migrate\` | brings the schema up to date; with \`--json\` it prints \`{"applied":[…]}\` |

${sections().join('\n\n')}

## What the doctor looks for

\`warren doctor\` works on the servers themselves: give it \`DATABASE_URL\`, \`AMQP_URL\`, \`RABBITMQ_MANAGEMENT_URL\`, and the other settings as the programs have them. It changes nothing; \`--fix\` builds invalid indexes anew and
vacuums, which changes no job. A role with \`pg_read_all_stats\` sees the transactions of others. Nothing on a healthy fleet; what cannot be looked at is a finding itself.

| code | | what it finds | what to do |
|---|---|---|---|
${allChecks.map(({ code, severity, looksFor, remedy, page }) => `| \`${code}\` | ${severity} | ${looksFor} | ${remedy} ([${page.replace('docs/', '')}](${page.replace('docs/', '')})) |`).join('\n')}
`;
}

function sections(): string[] {
  const root = new Command('warren');
  addOwnCommands(root, {} as Terminal); // nothing is run
  const [nouns, words] = [true, false].map((isNoun) =>
    root.commands.filter(({ commands }) => commands.length > 0 === isNoun),
  );
  return [
    ...(nouns ?? []).map(
      (noun) => `## ${noun.name()}\n\n${commandTable(noun.commands, (verb) => `${noun.name()} ${verb}`)}`,
    ),
    ...(words === undefined || words.length === 0
      ? []
      : [`## And\n\n${commandTable(words, (word) => word)}`]),
  ];
}

function commandTable(commands: readonly Command[], nameOf: (name: string) => string): string {
  const rows = commands.map((command) => {
    const name = nameOf(command.name());
    const route = apiCommands.find((each) => each.name === name)?.route;
    const given = command.registeredArguments.map((each) =>
      each.required ? ` <${each.name()}>` : ` [${each.name()}]`,
    );
    const options = command.options
      .filter(({ long }) => !COMMON.has(long ?? ''))
      .map(({ flags }) => `\`${flags}\``)
      .join(' ');
    const request = route === undefined ? '' : `\`${route.method.toUpperCase()} ${route.path}\``;
    return `| \`warren ${name}${given.join('')}\` | ${command.summary() || command.description()} | ${options} | ${request} |`;
  });
  return `| command | | options | asks |\n|---|---|---|---|\n${rows.join('\n')}`;
}
