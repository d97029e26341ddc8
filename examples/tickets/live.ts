/**
 * What pages are told as it changes (server-sent events). However many watch, the API is asked once for each thing that is watched.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from 'hono';
import { streamSSE } from 'hono/streaming';

const EVERY_MS = 500;

interface Watched {
  watchers: number;
  text: string;
  isDone: boolean;
  changed: PromiseWithResolvers<void>;
}

export interface View {
  /** The inner HTML of the page's main element. */
  text: string;
  /** Nothing will change any more. */
  isDone: boolean;
}

export class Live {
  readonly #watched = new Map<string, Watched>();

  /** Streams a view until it is done, or the browser goes. `key` names the view; `look` makes it, and is called for one watcher as for a thousand. */
  stream(c: Context, key: string, look: () => Promise<View>): Response {
    return streamSSE(c, async (stream) => {
      const watched = this.#watch(key, look);
      const gone = Promise.withResolvers<void>();
      stream.onAbort(() => gone.resolve());
      let sent = '';
      try {
        while (!stream.aborted) {
          const { changed, text, isDone } = watched;
          if (text !== sent) await stream.writeSSE({ event: 'main', data: text });
          sent = text;
          if (isDone) return await stream.writeSSE({ event: 'done', data: '' });
          await Promise.race([changed.promise, gone.promise]);
        }
      } finally {
        watched.watchers -= 1;
      }
    });
  }

  #watch(key: string, look: () => Promise<View>): Watched {
    const known = this.#watched.get(key);
    if (known !== undefined) {
      known.watchers += 1;
      return known;
    }
    const watched: Watched = { watchers: 1, text: '', isDone: false, changed: Promise.withResolvers<void>() };
    this.#watched.set(key, watched);
    void this.#keepUpToDate(key, watched, look);
    return watched;
  }

  /** As long as somebody watches. */
  async #keepUpToDate(key: string, watched: Watched, look: () => Promise<View>): Promise<void> {
    while (watched.watchers > 0) {
      await refresh(watched, look);
      await sleep(EVERY_MS);
    }
    this.#watched.delete(key);
  }
}

/** An API that is away leaves the page as it is; the next look may succeed. */
async function refresh(watched: Watched, look: () => Promise<View>): Promise<void> {
  const view = await look().catch(() => undefined);
  if (view === undefined || view.text === watched.text) return;
  Object.assign(watched, view);
  watched.changed.resolve();
  watched.changed = Promise.withResolvers<void>();
}
