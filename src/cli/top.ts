/**
 * The command `warren top`: queues, workers and throughput in the terminal, live. Stands on two answers of the API, looked at every second or so.
 */
import type { Command } from 'commander';
import { sleep } from '#shared/base/backoff.ts';
import { Unavailable } from '#shared/base/errors.ts';
import type { ConnectionOptions } from './add-api-commands.ts';
import { appOption, openConnection, secondsOption, urlOption } from './add-api-commands.ts';
import type { Column } from './api-commands.ts';
import { queueColumns, workerColumns } from './api-commands.ts';
import type { ApiConnection } from './api-connection.ts';
import { tellProblem } from './run-request.ts';
import type { Terminal } from './terminal.ts';
import { Screen, textOptions } from './terminal.ts';
import type { TextOptions } from './text-table.ts';
import { paint, textTable } from './text-table.ts';

interface Queue {
  name: string;
  counts: Record<string, number>;
}

export interface Look {
  atMs: number;
  queues: readonly Queue[];
  workers: readonly object[];
}

const ENDED = ['completed', 'discarded', 'cancelled'];
const CTRL_C = '\u0003';
const topColumns: readonly Column[] = [...queueColumns, ['ENDED /s', 'endedPerSecond']];

export function addTop(program: Command, terminal: Terminal): void {
  program
    .command('top')
    .summary('Queues, workers and throughput, live; q ends')
    .description('Queues, workers and throughput, live; q ends. Needs the role viewer.')
    .addOption(secondsOption('--every <seconds>', 'look again every so many seconds').default(1))
    .option(...urlOption)
    .option(...appOption)
    .action(async (options: ConnectionOptions & { every: number }) => {
      await using connection = await openConnection(options);
      await watch(connection, options.every * 1_000, terminal);
    });
}

async function watch(connection: ApiConnection, everyMs: number, terminal: Terminal): Promise<void> {
  using keys = endByKey(terminal);
  using screen = new Screen(terminal);
  let before: Look | undefined;
  let note = connection.remark;
  while (!keys.signal.aborted) {
    try {
      const look = await lookOnce(connection, terminal);
      if (look === undefined) return;
      screen.draw(toFrame(look, before, { note, options: textOptions(terminal) }));
      before = look;
      note = connection.remark;
    } catch (error) {
      if (before === undefined || !(error instanceof Unavailable)) throw error;
      note = error.message; // what was seen last stays, and is said to be old
      screen.draw(toFrame(before, undefined, { note, options: textOptions(terminal) }));
    }
    await sleep(everyMs, keys.signal);
  }
}

/** Undefined where the API refuses, which has been told. */
async function lookOnce(connection: ApiConnection, terminal: Terminal): Promise<Look | undefined> {
  const responses = await Promise.all(['/v1/queues', '/v1/workers'].map((path) => connection.request(path)));
  const bodies = await Promise.all(responses.map((response) => response.text()));
  for (const [index, { status }] of responses.entries()) {
    if (status === 503)
      throw new Unavailable('api_unavailable', 'the API is there, and something that it needs is not');
    if (status !== 200) {
      tellProblem({ status, body: bodies[index] ?? '' }, terminal);
      return undefined;
    }
  }
  const [queues = '{}', workers = '{}'] = bodies;
  return {
    atMs: performance.now(),
    queues: (JSON.parse(queues) as { queues: Queue[] }).queues,
    workers: (JSON.parse(workers) as { workers: object[] }).workers,
  };
}

interface FrameOptions {
  note: string | undefined;
  options: TextOptions;
}

/** What is drawn. Throughput is what has ended since the look before; what was deleted meanwhile does not count against it. */
export function toFrame(look: Look, before: Look | undefined, { note, options }: FrameOptions): string {
  const seconds = before === undefined ? 0 : (look.atMs - before.atMs) / 1_000;
  const rows = look.queues.map((queue) => {
    const earlier = before?.queues.find(({ name }) => name === queue.name);
    const ended = earlier === undefined ? undefined : Math.max(0, endedIn(queue) - endedIn(earlier));
    return { ...queue, endedPerSecond: ended === undefined || seconds === 0 ? null : ended / seconds };
  });
  const sum = (state: string) => look.queues.reduce((total, { counts }) => total + (counts[state] ?? 0), 0);
  const perSecond = rows.reduce((total, row) => total + (row.endedPerSecond ?? 0), 0);
  const head = `waiting ${sum('available')}  running ${sum('running')}  scheduled ${sum('scheduled')}  workers ${look.workers.length}  ended ${Math.round(perSecond)}/s`;
  return [
    paint(head, 'bold', options),
    ...(note === undefined ? [] : [paint(`(${note})`, 'yellow', options)]),
    '',
    textTable(rows, topColumns, options),
    '',
    look.workers.length === 0
      ? 'no worker has been heard of'
      : textTable(look.workers, workerColumns, options),
  ].join('\n');
}

function endedIn({ counts }: Queue): number {
  return ENDED.reduce((total, state) => total + (counts[state] ?? 0), 0);
}

/** `q` and Ctrl-C end it. While keys are read one by one the terminal makes no signal of Ctrl-C. */
function endByKey({ input, stopping }: Terminal): Disposable & { signal: AbortSignal } {
  const ending = new AbortController();
  const onKeys = (keys: Buffer) => {
    if (/[qQ]/.test(`${keys}`) || keys.includes(CTRL_C)) ending.abort();
  };
  const isTerminal = input.isTTY === true;
  if (isTerminal) input.setRawMode(true).on('data', onKeys).resume();
  return {
    signal: AbortSignal.any([stopping(), ending.signal]),
    [Symbol.dispose]: () => {
      if (isTerminal) input.off('data', onKeys).setRawMode(false).pause();
    },
  };
}
