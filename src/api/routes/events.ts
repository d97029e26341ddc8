/**
 * The events of jobs as server-sent events.
 *
 * Guarantees: nothing is answered before the watch is there, so that an error is a problem; a client that reads nothing for half a minute while something
 * waits for it is cut off; a stop of the process ends each stream cleanly, and so does the end of the session or of the token that has opened it, within
 * a quarter of a minute.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { EventHub } from '#queue/events/event-hub.ts';
import { withDeadline } from '#shared/base/backoff.ts';
import { Unavailable } from '#shared/base/errors.ts';
import type { WatchItem } from '#shared/job/job-event.ts';
import { eventsRoute } from '../contract/event.ts';

/** What a client waits before it comes back. */
const RETRY_MS = 1_000;
const MAX_STANDING_MS = 30_000;
/** Of a stream, in the process's own memory. */
const BUFFER_BYTES = 16_384;
const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  'x-accel-buffering': 'no', // a proxy would keep what is small
};

export interface EventDependencies {
  jobEvents: Pick<EventHub, 'watch'>;
}

export function registerEvents(app: OpenAPIHono, { jobEvents }: EventDependencies): void {
  app.openapi(eventsRoute, async (c) => {
    const { job: jobs, queue: queues, type: types, kind: kinds } = c.req.valid('query');
    const from = c.req.valid('header')['Last-Event-ID'] || undefined;
    const leaving = new AbortController();
    const signal = AbortSignal.any([leaving.signal, c.req.raw.signal]);
    const items = jobEvents.watch({ jobs, queues, types, kinds }, { from, signal })[Symbol.asyncIterator]();
    const first = await items.next(); // throws what is wrong with the request
    const { outgoing } = (c.env ?? {}) as { outgoing?: { destroy(): void } };
    const cut = outgoing && (() => outgoing.destroy());
    const body = toStream(first, items, { leaving, cut, mayStill: c.var.mayStill });
    return new Response(body, { headers: HEADERS });
  });
}

interface Reader {
  /** Aborts when the client has gone. */
  leaving: AbortController;
  /** Ends its connection: an error of the stream would be printed by the server. */
  cut: (() => void) | undefined;
  mayStill: () => boolean;
}

function toStream(
  first: IteratorResult<WatchItem>,
  items: AsyncIterator<WatchItem>,
  { leaving, cut, mayStill }: Reader,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let pulled = Promise.withResolvers<void>();
  const send = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
    controller.enqueue(encoder.encode(`retry: ${RETRY_MS}\n`));
    for (let next = first; next.done !== true && mayStill(); next = await items.next()) {
      pulled = Promise.withResolvers();
      controller.enqueue(encoder.encode(toText(next.value)));
      if ((controller.desiredSize ?? 0) > 0) continue;
      await withDeadline(
        pulled.promise,
        MAX_STANDING_MS,
        () => new Unavailable('reader_slow', 'nobody reads'),
        leaving.signal,
      );
    }
    controller.close();
  };
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        void send(controller)
          .catch((error: unknown) => {
            if (leaving.signal.aborted) return;
            if (cut === undefined) controller.error(error);
            else cut();
          })
          .finally(() => {
            leaving.abort();
            void items.return?.();
          });
      },
      pull: () => pulled.resolve(),
      cancel: () => leaving.abort(),
    },
    new ByteLengthQueuingStrategy({ highWaterMark: BUFFER_BYTES }),
  );
}

function toText({ position, ...item }: WatchItem): string {
  if (item.kind === 'idle') return `: nothing has happened\nid: ${position}\n\n`;
  return `event: ${item.kind}\nid: ${position}\ndata: ${JSON.stringify(item)}\n\n`;
}
