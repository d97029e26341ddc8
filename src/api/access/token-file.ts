/**
 * The list of tokens in a file (`TOKENS_FILE`), which may change while the program runs.
 *
 * It is read every two seconds, content and all: Kubernetes changes a mounted Secret by swapping symbolic links, which watches miss and file times
 * need not show. A list that is wrong or cannot be read changes nothing; the last good one stays, and `access.tokens-refused` says so once.
 * Guarantees: at most 1 MiB is read, one read at a time, whatever hangs.
 */
import { open } from 'node:fs/promises';
import { z } from 'zod';
import { sleep, withDeadline } from '#shared/base/backoff.ts';
import { errorMessage, Misconfigured } from '#shared/base/errors.ts';
import type { Events } from '#shared/observe/events.ts';
import type { AccessToken, AccessTokens } from './access-tokens.ts';
import { API_TOKEN_NAME } from './access-tokens.ts';
import { roles } from './roles.ts';

const LOOK_MS = 2_000;
const READ_DEADLINE_MS = 5_000;
const MAX_BYTES = 1_048_576;
const MAX_TOKENS = 1_000;

const tokenList = z
  .array(
    z.strictObject({
      name: z
        .string()
        .regex(/^[\w.@+-]{1,100}$/, 'must be 1 to 100 letters, digits and . _ @ + -')
        .refine((name) => name !== API_TOKEN_NAME, `must not be ${API_TOKEN_NAME}`),
      role: z.enum(roles),
      sha256: z
        .string()
        .regex(/^[0-9a-f]{64}$/i, 'must be the SHA-256 of the token in hex')
        .toLowerCase(),
    }),
  )
  .max(MAX_TOKENS)
  .refine((list) => isDistinct(list.map(({ name }) => name)), 'a name stands twice')
  .refine((list) => isDistinct(list.map(({ sha256 }) => sha256)), 'a token stands twice');

export class TokenFile {
  readonly #path: string;
  readonly #tokens: AccessTokens;
  readonly #events: Events;
  readonly #stopping = new AbortController();
  #reading: Promise<string> | undefined;
  #lastText: string | undefined;
  #lastProblem: string | undefined;
  #watching: Promise<void> | undefined;

  constructor(path: string, { tokens, events }: { tokens: AccessTokens; events: Events }) {
    this.#events = events;
    this.#path = path;
    this.#tokens = tokens;
  }

  /** Resolves when the list was read. Throws `Misconfigured` where it cannot be, or is wrong: a program does not start with a guess. */
  async start(): Promise<void> {
    if (this.#watching !== undefined) return;
    try {
      await this.#read();
    } catch (error) {
      throw new Misconfigured(`TOKENS_FILE ${this.#path}: ${messageOf(error)}`);
    }
    this.#watching = this.#watch();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#watching;
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await sleep(LOOK_MS, signal);
      if (signal.aborted) return;
      try {
        await this.#read();
        this.#lastProblem = undefined;
      } catch (error) {
        this.#report(messageOf(error));
      }
    }
  }

  /** Throws where the file cannot be read or is wrong. */
  async #read(): Promise<void> {
    const late = () => new Error(`it was not read within ${READ_DEADLINE_MS} ms`);
    this.#reading ??= readText(this.#path).finally(() => {
      this.#reading = undefined;
    });
    const text = await withDeadline(this.#reading, READ_DEADLINE_MS, late, this.#stopping.signal);
    if (text === this.#lastText) return;
    const listed = parseTokens(text);
    this.#lastText = text;
    this.#tokens.replace(listed);
    this.#events.publish('access.tokens-read', {
      tokens: listed.map(({ name, role }) => `${name} (${role})`),
    });
  }

  #report(problem: string): void {
    if (problem === this.#lastProblem || this.#stopping.signal.aborted) return;
    this.#lastProblem = problem;
    this.#events.publish('access.tokens-refused', { path: this.#path, problem });
  }
}

/** Throws an error that says where the list is wrong, without its content. */
export function parseTokens(text: string): AccessToken[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error('it is not JSON'); // the parser's own message quotes what it has read
  }
  const parsed = tokenList.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Error(`/${issue?.path.join('/') ?? ''}: ${issue?.message ?? 'it is wrong'}`);
}

async function readText(path: string): Promise<string> {
  await using file = await open(path);
  const stats = await file.stat();
  if (!stats.isFile()) throw new Error('it is not a file');
  const { bytesRead, buffer } = await file.read(Buffer.alloc(Math.min(stats.size, MAX_BYTES) + 1));
  if (bytesRead > MAX_BYTES) throw new Error(`it is larger than ${MAX_BYTES} bytes`);
  return buffer.toString('utf8', 0, bytesRead);
}

function messageOf(error: unknown): string {
  return errorMessage(error instanceof Error ? error.message : error);
}

function isDistinct(values: readonly string[]): boolean {
  return new Set(values).size === values.length;
}
