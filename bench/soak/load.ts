// What the soak enqueues: jobs of every kind, over HTTP, at a steady rate, no more than a bounded number of them waiting at once.
// An answer that does not come leaves open whether its jobs were committed: they are not asked for again, and nobody expects them.
import { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { sendRequest } from '../stage/http-request.ts';
import { monotonicMs } from '../stage/monotonic.ts';

export interface LoadOptions {
  /** Of the API. */
  url: string;
  jobs: number;
  perSecond: number;
  /** How many wait or run now. */
  backlog: () => number;
  maxBacklog: number;
  acknowledge: (ids: readonly string[]) => void;
  /** Ends it before its time. */
  signal: AbortSignal;
}

/** Jobs of one request. */
const AT_ONCE = 100;
/** Of so many requests one is a batch with a callback. */
const BATCH_EVERY = 20;
const PAUSE_MS = 100;
const LARGE_TEXT = 'the quick brown fox jumps over the lazy dog; '.repeat(200);

interface NewJob {
  type: string;
  args: object;
  [option: string]: unknown;
}

/** Of each hundred jobs, so many are of this kind. The others are plain. */
const kinds: readonly { share: number; make: (n: number) => NewJob }[] = [
  { share: 6, make: (n) => ({ type: 'soak-scheduled', args: { n }, delayMs: 1_000 + (n % 100) * 100 }) },
  { share: 6, make: (n) => ({ type: 'soak-urgent', args: { n }, priority: n % 10 }) },
  { share: 6, make: (n) => ({ type: 'soak-unique', args: { n } }) },
  { share: 5, make: (n) => ({ type: 'soak-limited', args: { n } }) },
  { share: 6, make: (n) => ({ type: 'soak-grouped', args: { n } }) },
  { share: 6, make: (n) => ({ type: 'soak-ordered', args: { n } }) },
  { share: 3, make: (n) => ({ type: 'soak-expiring', args: { n } }) },
  { share: 1, make: (n) => ({ type: 'soak-hopeless', args: { n } }) },
  { share: 2, make: (n) => ({ type: 'soak-large', args: { n, text: LARGE_TEXT } }) },
  { share: 4, make: (n) => ({ type: 'soak-retried', args: { n } }) },
  { share: 4, make: (n) => ({ type: 'soak-talkative', args: { n }, tags: [`tag ${n % 10}`] }) },
  { share: 4, make: (n) => ({ type: 'soak-transacted', args: { n } }) },
  { share: 2, make: (n) => ({ type: 'soak-withdrawn', args: { n } }) },
];
const made = kinds.flatMap(({ share, make }) => Array.from({ length: share }, () => make));

export class Load {
  readonly #options: LoadOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 4 });
  /** Jobs that were asked for. */
  asked = 0;
  /** Jobs of requests that were refused, or had no answer. */
  unanswered = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  /** Resolves when all have been asked for. */
  async run(): Promise<void> {
    const { jobs, perSecond, backlog, maxBacklog, signal } = this.#options;
    let nextAt = monotonicMs();
    try {
      for (let request = 0; this.asked < jobs && !signal.aborted; request += 1) {
        while (backlog() > maxBacklog && !signal.aborted) await delay(PAUSE_MS);
        const wait = nextAt - monotonicMs();
        if (wait > 0) await delay(wait);
        nextAt = Math.max(nextAt, monotonicMs() - 1_000) + (AT_ONCE * 1_000) / perSecond; // makes up for a second at most
        await this.#send(request, Math.min(AT_ONCE, jobs - this.asked));
      }
    } finally {
      this.#agent.destroy();
    }
  }

  async #send(request: number, count: number): Promise<void> {
    const first = this.asked;
    this.asked += count;
    const numbers = Array.from({ length: count }, (_, index) => first + index);
    const isBatch = request % BATCH_EVERY === BATCH_EVERY - 1;
    const path = isBatch ? '/v1/batches' : '/v1/jobs/batch';
    const body = isBatch
      ? {
          jobs: numbers.map((n) => ({ type: 'soak-member', args: { n } })),
          onEnd: { type: 'soak-callback', args: { n: request } },
        }
      : { jobs: numbers.map((n) => (made[n % 100] ?? plain)(Math.floor(n / 100) * 7 + (n % 100))) };
    const ids = await this.#post(path, body);
    if (ids === undefined) this.unanswered += count;
    else this.#options.acknowledge(ids);
  }

  /** The ids of the jobs; undefined where there is no answer, or a refusal while a server is away. Throws at any other answer. */
  async #post(path: string, body: object): Promise<string[] | undefined> {
    const url = new URL(path, this.#options.url);
    const request = { method: 'POST', agent: this.#agent, body: JSON.stringify(body) } as const;
    const answer = await sendRequest(url, request).catch(() => undefined);
    if (answer?.status === 202) return (JSON.parse(answer.text) as { ids: string[] }).ids;
    if (answer !== undefined && answer.status !== 503)
      throw new Error(`POST ${path}: ${answer.status} ${answer.text}`);
    await delay(PAUSE_MS);
    return undefined;
  }
}

function plain(n: number): NewJob {
  return { type: 'soak-plain', args: { n } };
}
