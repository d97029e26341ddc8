/**
 * Follows a stream of server-sent events and writes a line for each, until the person has had enough.
 *
 * Guarantees: a stream that ends or falls silent is taken up again where it was, so that nothing is missed that the server has kept; what it says of itself
 * (`reset`: something may have been missed) is shown like everything else.
 */
import { createParser } from 'eventsource-parser';
import { backoffMs, sleep, withDeadline } from '#shared/base/backoff.ts';
import { Unavailable } from '#shared/base/errors.ts';
import type { ApiConnection } from './api-connection.ts';
import type { BuiltRequest } from './build-request.ts';
import { tellProblem } from './run-request.ts';
import type { Terminal } from './terminal.ts';
import { textOptions } from './terminal.ts';
import type { TextOptions } from './text-table.ts';
import { paintState, toText } from './text-table.ts';

/** Of a stream that lives there is something every 15 seconds. */
const SILENT_MS = 45_000;
/** Of an event in the parser: the longest line of a job's log is far below. */
const MAX_EVENT_CHARACTERS = 1_048_576;

export async function runStream(
  connection: ApiConnection,
  request: BuiltRequest,
  { json, terminal }: { json: boolean; terminal: Terminal },
): Promise<void> {
  const stopping = terminal.stopping();
  const options = textOptions(terminal);
  let lastId = '';
  const take = ({ id, data }: { id?: string | undefined; data: string }) => {
    if (id !== undefined) lastId = id;
    terminal.out.write(`${json ? data : eventLine(JSON.parse(data) as EventData, options)}\n`);
  };
  for (let failures = 0; !stopping.aborted; ) {
    const headers = new Headers(request.init.headers);
    if (lastId !== '') headers.set('last-event-id', lastId);
    try {
      const response = await connection.request(request.path, { ...request.init, headers, signal: stopping });
      const isRefused = response.status >= 400 && response.status < 500;
      if (response.status !== 200 && (isRefused || lastId === ''))
        return tellProblem({ status: response.status, body: await response.text() }, terminal);
      failures = response.status === 200 ? 0 : failures + 1;
      if (response.status === 200 && response.body !== null) await follow(response.body, { take, stopping });
    } catch (error) {
      if (stopping.aborted) return;
      if (lastId === '') throw error; // it has never worked
      failures += 1;
    }
    await sleep(backoffMs(failures + 1, { firstMs: 500, maxMs: 10_000 }), stopping);
  }
}

interface Following {
  take: (event: { id?: string | undefined; data: string }) => void;
  stopping: AbortSignal;
}

/** Resolves at the end of the stream. Rejects where it breaks or falls silent. */
async function follow(body: ReadableStream<Uint8Array>, { take, stopping }: Following): Promise<void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const parser = createParser({ onEvent: take, maxBufferSize: MAX_EVENT_CHARACTERS });
  const silent = () => new Unavailable('api_silent', 'the stream fell silent');
  try {
    for (;;) {
      const { done, value } = await withDeadline(reader.read(), SILENT_MS, silent, stopping);
      if (done) return;
      parser.feed(decoder.decode(value, { stream: true }));
    }
  } finally {
    await reader.cancel().catch(() => {}); // it has broken already, and whoever reads was told
  }
}

interface EventData {
  kind: string;
  at?: string;
  jobId?: string;
  type?: string;
  queue?: string;
  [member: string]: unknown;
}

/** `2026-01-31T12:00:00Z job.ended 4711 deliver-webhook (webhooks) attempt 1 completed` */
function eventLine(
  { kind, at, jobId, type, queue, state, ...rest }: EventData,
  options: TextOptions,
): string {
  const job = jobId === undefined ? [] : [jobId, type, `(${queue})`];
  const others = Object.entries(rest).map(([name, value]) => `${name}=${toText(value)}`);
  return [
    at === undefined ? [] : toText(at),
    toText(kind).padEnd(14),
    job.map(toText),
    typeof state === 'string' ? paintState(toText(state), options) : [],
    others,
  ]
    .flat(2)
    .join(' ');
}
