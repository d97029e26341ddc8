/**
 * Sends the request of a command and shows the answer: as it is, for programs, or as text, for people; once, or again and again.
 */
import { sleep } from '#shared/base/backoff.ts';
import type { ApiCommand } from './api-commands.ts';
import type { ApiConnection } from './api-connection.ts';
import type { BuiltRequest } from './build-request.ts';
import { exitCodeOfStatus } from './exit-code.ts';
import type { Terminal } from './terminal.ts';
import { Screen, textOptions } from './terminal.ts';
import { textMembers, textTable, toText } from './text-table.ts';

export interface RunOptions {
  /** What the API answered, unchanged. */
  json: boolean;
  /** Seconds between two looks; undefined: one. */
  watch: number | undefined;
}

interface Problem {
  detail?: string;
  title?: string;
  errors?: { detail: string; pointer: string }[];
}

export async function runRequest(
  connection: ApiConnection,
  { command, request }: { command: ApiCommand; request: BuiltRequest },
  { options, terminal }: { options: RunOptions; terminal: Terminal },
): Promise<void> {
  if (connection.remark !== undefined && !options.json) terminal.err.write(`(${connection.remark})\n`);
  const ask = async (signal?: AbortSignal) => {
    const response = await connection.request(request.path, { ...request.init, ...(signal && { signal }) });
    return { status: response.status, body: await response.text() };
  };
  const show = (answer: Answer) => (options.json ? answer.body : render(answer, command, terminal));
  if (options.watch === undefined) {
    const answer = await ask();
    tellProblem(answer, terminal);
    if (answer.status < 400 || options.json) writeLine(terminal.out, show(answer));
    return;
  }
  const stopping = terminal.stopping();
  using screen = new Screen(terminal);
  while (!stopping.aborted) {
    const answer = await ask(stopping).catch((error: unknown) => {
      if (!stopping.aborted) throw error;
    });
    if (answer === undefined) return;
    if (answer.status >= 400) {
      screen[Symbol.dispose]();
      tellProblem(answer, terminal);
      return;
    }
    if (options.json) writeLine(terminal.out, show(answer));
    else screen.draw(show(answer));
    await sleep(options.watch * 1_000, stopping);
  }
}

interface Answer {
  status: number;
  body: string;
}

/** Of a problem, in one line, with the members that are wrong. Sets the exit code. */
export function tellProblem({ status, body }: Answer, { err, setExitCode }: Terminal): void {
  if (status < 400) return;
  setExitCode(exitCodeOfStatus(status));
  const { detail, title, errors = [] } = parseProblem(body);
  const members = errors.map((error) => `${error.pointer} ${error.detail}`);
  err.write(`${toText([detail ?? title ?? `answered with ${status}`, ...members].join('; '))}\n`);
}

function parseProblem(body: string): Problem {
  try {
    return Object(JSON.parse(body)) as Problem;
  } catch {
    return {}; // whatever answers there is no Warren
  }
}

function render({ body }: Answer, { list }: ApiCommand, terminal: Terminal): string {
  if (body === '') return 'done';
  const answer = JSON.parse(body) as Record<string, unknown> | null;
  if (answer === null) return 'done'; // a limit that is gone altogether
  const options = textOptions(terminal);
  if (list === undefined) {
    const members = Object.values(answer);
    const [only] = members;
    const isWrapped =
      members.length === 1 && typeof only === 'object' && only !== null && !Array.isArray(only);
    return textMembers(isWrapped ? only : answer, options);
  }
  const rows = (answer[list.rows] ?? []) as unknown[];
  if (rows.length === 0) return `no ${inWords(list.rows)}`;
  const { nextCursor } = answer;
  const more = typeof nextCursor === 'string' ? `\nmore: --cursor ${toText(nextCursor)}` : '';
  return textTable(rows, list.columns, options) + more;
}

/** `dead letters` of `deadLetters`. */
function inWords(member: string): string {
  return member.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function writeLine(out: Terminal['out'], text: string): void {
  if (text !== '') out.write(text.endsWith('\n') ? text : `${text}\n`);
}
