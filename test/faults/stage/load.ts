// The load generator: submits jobs to the APIs in turn and keeps the submit book. A submit that was refused, or whose answer was not heard, is
// repeated with the same Idempotency-Key until an answer says yes, or `giveUp` aborts.
import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../../../bench/stage/monotonic.ts';
import type { SubmitBook, SubmitLine } from '../books/submit-book.ts';
import type { Random } from './random.ts';

export interface LoadOptions {
  urls: readonly string[];
  book: SubmitBook;
  random: Random;
}

export interface Submission {
  type?: string;
  ms?: number;
  how?: string;
  /** Defaults to one of the four, `reports` seldom. */
  queue?: string;
  maxAttempts?: number;
  limits?: readonly string[];
  group?: string;
  orderingKey?: string;
  unique?: { key: string };
}

const REQUEST_TIMEOUT_MS = 10_000;
const RETRY_MS = 500;
/** So many submits without an answer at once; a client that gets none asks for nothing new. */
const MAX_OPEN = 200;

export class Load {
  /** What was asked for, by key, in that order. */
  readonly submissions = new Map<string, Submission>();
  readonly #options: LoadOptions;
  readonly #giveUp = new AbortController();
  #next = 0;
  #open = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  /** The key of the next submit. */
  get nextKey(): string {
    return `k${this.#next}`;
  }

  /** Submits are no longer repeated. */
  giveUp(): void {
    this.#giveUp.abort();
  }

  /** Resolves with the job's id when the answer says yes; undefined where it was given up. */
  async submit(submission: Submission = {}): Promise<string | undefined> {
    const { random, book } = this.#options;
    const n = this.#next;
    this.#next += 1;
    const key = `k${n}`;
    this.submissions.set(key, submission);
    const { type = 'fault-work', ms = 20, how, queue = pickQueue(random), ...rest } = submission;
    const args = how === undefined ? { key, ms } : { key, ms, how };
    const body = JSON.stringify({ type, args, queue, ...rest });
    this.#open += 1;
    book.write({ key, phase: 'invoke' });
    try {
      for (let turn = n; ; turn += 1) {
        const line = await this.#ask({ key, body, turn });
        book.write(line);
        if (line.phase === 'ok' || line.phase === 'kept') return line.jobId;
        if (this.#giveUp.signal.aborted) return undefined;
        await delay(RETRY_MS * (0.5 + random()), undefined, { signal: this.#giveUp.signal }).catch(() => {});
      }
    } finally {
      this.#open -= 1;
    }
  }

  /** As fast as `width` submits at once go. */
  async burst(count: number, submission: Submission = {}, width = 40): Promise<void> {
    let left = count;
    const lane = async () => {
      while (left > 0 && !this.#giveUp.signal.aborted) {
        left -= 1;
        await this.submit(submission);
      }
    };
    await Promise.all(Array.from({ length: Math.min(width, count) }, lane));
  }

  /** At a steady rate for some seconds. Resolves when every submit was answered or given up. */
  async steady({
    perSecond,
    seconds,
    ...submission
  }: Submission & { perSecond: number; seconds: number }): Promise<void> {
    const startedAt = monotonicMs();
    const open: Promise<unknown>[] = [];
    const total = perSecond * seconds;
    let sent = 0;
    while (sent < total && !this.#giveUp.signal.aborted) {
      const elapsedMs = monotonicMs() - startedAt;
      if (elapsedMs > seconds * 1_000) break;
      const due = Math.min(total, Math.floor((elapsedMs / 1_000) * perSecond) + 1);
      for (; sent < due; sent += 1) if (this.#open < MAX_OPEN) open.push(this.submit(submission));
      await delay(5);
    }
    await Promise.all(open);
  }

  async #ask({
    key,
    body,
    turn,
  }: {
    key: string;
    body: string;
    turn: number;
  }): Promise<Omit<SubmitLine, 'at'>> {
    const { urls } = this.#options;
    const startedAt = monotonicMs();
    const ms = () => Math.round(monotonicMs() - startedAt);
    try {
      const response = await fetch(`${urls[turn % urls.length]}/v1/jobs`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': key },
        body,
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      });
      const { status } = response;
      const answer = (await response.json()) as {
        job?: { id: string };
        created?: boolean;
        code?: string;
      };
      const jobId = answer.job?.id;
      if (jobId !== undefined)
        return { key, phase: answer.created === false ? 'kept' : 'ok', jobId, status, ms: ms() };
      const hasRetryAfter = response.headers.has('retry-after');
      return { key, phase: 'refused', status, ms: ms(), hasRetryAfter, error: answer.code ?? '' };
    } catch (error) {
      const cause = (error as Error).cause as { code?: string } | undefined;
      return { key, phase: 'unknown', ms: ms(), error: cause?.code ?? (error as Error).name };
    }
  }
}

/** `reports` has one slot per channel: it gets one job in forty. */
function pickQueue(random: Random): string {
  const value = random();
  if (value < 0.025) return 'reports';
  if (value < 0.35) return 'critical';
  return value < 0.675 ? 'default' : 'webhooks';
}
