/**
 * What a server was asked and what came of it: a value, or the reason why there is none.
 * Guarantees: asking never throws and always ends, at its deadline at the latest, also where the question does not heed its signal.
 */
import { STATUS_CODES } from 'node:http';
import type { ApiException } from '@kubernetes/client-node';
import { withDeadline } from '#shared/base/backoff.ts';

export type Reading<T> =
  | { readonly ok: true; readonly value: T }
  | {
      readonly ok: false;
      readonly reason: string;
      /** Of HTTP, where an answer came. */
      readonly status?: number;
    };

export const notYet: Reading<never> = { ok: false, reason: 'not asked yet' };

export interface AskOptions {
  deadlineMs: number;
  /** Calls the question off. */
  signal?: AbortSignal;
}

export async function ask<T>(
  question: (signal: AbortSignal) => Promise<T>,
  { deadlineMs, signal }: AskOptions,
): Promise<Reading<T>> {
  const late = () => new Error(`no answer within ${deadlineMs / 1_000} s`);
  const controller = new AbortController();
  try {
    const answer = withDeadline(question(controller.signal), deadlineMs, late, signal);
    return { ok: true, value: await answer };
  } catch (error) {
    return { ok: false, reason: explain(error), ...(isApiException(error) && { status: error.code }) };
  } finally {
    controller.abort(); // what is late is not waited for
  }
}

/** A refusal names the user, the resource and the namespace. */
const MAX_CHARACTERS = 300;

/** One short line for people. */
export function explain(error: unknown): string {
  if (isApiException(error)) return `${error.code} ${statusMessage(error)}`.trim();
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause;
  if (error.message === 'fetch failed' && cause instanceof Error) return explain(cause);
  if (error instanceof AggregateError && error.message === '') return explain(error.errors[0]);
  return firstLine(error.message) || error.name;
}

/** By its shape: loading the client for its class alone takes half a second and 90 MB. */
function isApiException(error: unknown): error is ApiException<unknown> {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && 'body' in error;
}

/** The API server explains itself in a `Status` object; whatever stands before it may answer with anything. */
function statusMessage({ body, code }: ApiException<unknown>): string {
  if (body === undefined) return STATUS_CODES[code] ?? '';
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  try {
    const status: unknown = JSON.parse(text);
    if (typeof status === 'object' && status !== null && 'message' in status)
      return firstLine(String(status.message));
  } catch {
    // Not JSON: a proxy's page.
  }
  return firstLine(text);
}

function firstLine(text: string): string {
  return (text.trim().split('\n', 1)[0] ?? '').slice(0, MAX_CHARACTERS);
}
