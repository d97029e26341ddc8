// The pages of docs/ that are derived from the code (settings, events, errors, states, metrics, the command line), Grafana's boards, and the alert rules
// as a file. `npm run docs` writes them; a test compares them.
import { globSync, readFileSync } from 'node:fs';
import { settings } from '../src/shared/settings/settings.ts';
import { boards } from './boards/boards.ts';
import { boardText } from './boards/grafana.ts';
import { weather } from './boards/weather.ts';
import { commandPage } from './command-page.ts';
import { metricsPage } from './metrics-page.ts';
import { rulesFile, rulesText } from './rules-file.ts';
import { statesPage } from './states-page.ts';

export type Page = { readonly path: string; readonly text: string };

export function referencePages(): Page[] {
  return [
    { path: 'docs/settings.md', text: settingsPage() },
    { path: 'docs/events.md', text: eventsPage() },
    { path: 'docs/errors.md', text: errorsPage() },
    { path: 'docs/metrics.md', text: metricsPage(derived('src/**/*.ts')) },
    { path: 'docs/states.md', text: statesPage(derived('src/shared/job/transitions.ts')) },
    { path: 'docs/command-line.md', text: commandPage(derived('src/cli/*.ts')) },
    { path: rulesFile, text: rulesText() },
    ...boards.map((board) => ({
      path: `k8s/components/boards/${board.uid}.json`,
      text: boardText(board, 'warren'),
    })),
    { path: 'examples/weather/k8s/weather-board.json', text: boardText(weather, 'weather') },
  ];
}

const derived = (from: string) => `<!-- Made from ${from} by \`npm run docs\`: edit it there. -->`;

function settingsPage(): string {
  const rows = Object.entries(settings).map(([name, setting]) => {
    const value = 'default' in setting ? `\`${setting.default}\`` : 'none';
    const file = 'secret' in setting ? `. Or \`${name}_FILE\`` : '';
    return `| \`${name}\` | ${value} | ${setting.meaning}${file} |`;
  });
  return `# Settings

${derived('src/shared/settings/settings.ts')}

Environment variables only. An empty one counts as not set. All errors in them are reported together, in one line, and the program exits with 1.

| name | default | meaning |
|---|---|---|
${rows.join('\n')}

A secret may stand in a file instead: \`DATABASE_URL_FILE=/run/secrets/database-url\` (at most 64 KiB, read once at start; the line feed at its end
does not count). The variable and its \`_FILE\` together are an error.

Durations are milliseconds. \`WORKER_QUEUES\` bounds what runs at once: the sum of channels × prefetch.
`;
}

function eventsPage(): string {
  const source = readFileSync('src/shared/observe/events.ts', 'utf8');
  const start = source.indexOf('export interface EventMessages');
  const body = source.slice(start, source.indexOf('\n}', start));
  const rows: string[] = [];
  let meaning = '';
  for (const [, comment, name] of body.matchAll(/^ {2}\/\*\*(.*?)\*\/$|^ {2}'([^']+)':/gms)) {
    if (comment !== undefined) meaning = comment.replaceAll(/\s*\n\s*\* ?/g, ' ').trim();
    if (name === undefined) continue;
    rows.push(`| \`${name}\` | ${meaning} |`);
    meaning = '';
  }
  return `# Events

${derived('src/shared/observe/events.ts')}

What happens within one program. (What happens to jobs, live and in whichever process: [watching.md](watching.md).)

Published where it happens, to the \`Events\` of that instance: a program has one, and so has each \`Warren\` object, with its workers
(\`warren.events.subscribe('job.ended', …)\`, typed). Two instances in one process hear nothing of each other. An event that nobody subscribes to costs a
look-up; a listener that throws hurts nobody, and Node warns of it once. Log and metrics are made from them; those of an attempt, of an end and of one
request carry its \`requestId\` and \`traceparent\` (docs/operations.md) where it has them.

| event | when |
|---|---|
${rows.join('\n')}
`;
}

/** Every code that stands as the first argument of an error of ours, or in a problem of the API. */
function errorsPage(): string {
  const found = new Map<string, Set<string>>();
  const patterns = [
    /new (InvalidInput|Conflict|QueueFull|Unavailable)\(\s*'([a-z_]+)'/g,
    /\b(code): '([a-z_]+)'/g,
  ];
  for (const path of globSync('src/**/*.ts').sort()) {
    const source = readFileSync(path, 'utf8');
    for (const pattern of path.startsWith('src/api/') ? patterns : patterns.slice(0, 1)) {
      for (const [, kind = '', code = ''] of source.matchAll(pattern)) {
        const row = `| \`${code}\` | ${kind === 'code' ? 'a problem of the API' : `\`${kind}\``} |`;
        found.set(row, (found.get(row) ?? new Set()).add(`\`${path}\``));
      }
    }
  }
  const rows = [...found].map(([row, paths]) => `${row} ${[...paths].join(', ')} |`).sort();
  return `# Errors

${derived('src/**/*.ts')}

Told apart by what the caller does next. Each but \`NotFound\` has a \`code\`; the API answers with it in \`application/problem+json\`.

| class | HTTP | what to do |
|---|---|---|
| \`InvalidInput\` | 422 | mend the request; \`errors\` points at the members |
| \`NotFound\` | 404 | look at the id or the name |
| \`Conflict\` | 409 | look at the job again, its state forbids it now |
| \`QueueFull\` | 429, \`Retry-After\` | enqueue later, when jobs of the queue have run |
| \`Unavailable\` | 503, \`Retry-After\` | repeat it later, with the same \`Idempotency-Key\` |
| \`Misconfigured\` | the program exits with 1 | mend a setting, the schema or the broker's queues |

| code | class | thrown in |
|---|---|---|
${rows.join('\n')}

## In a job's history

| message begins with | meaning |
|---|---|
| \`timeout:\` | the attempt took longer than its job type allows |
| \`worker_crashed:\` | the worker's process died while it held the job; this costs no attempt. After two, the job runs in a process of its own, and is discarded if it takes that one down too |
| \`the outcome cannot be stored:\` | Postgres refused the output |
| anything else | what the handler threw |
`;
}
