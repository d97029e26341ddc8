/**
 * What an error looks like on the wire: `application/problem+json` (RFC 9457), the same from every HTTP server of Warren.
 *
 * `type` is always "about:blank", `code` tells problems apart. Knows nothing of routes and of Warren's errors.
 */
import { STATUS_CODES } from 'node:http';
import type { InputIssue } from '../base/errors.ts';

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';
export const MAX_ISSUES = 20;

export interface Problem {
  type: 'about:blank';
  title: string;
  status: number;
  detail: string;
  code: string;
  errors?: InputIssue[] | undefined;
}

export interface ProblemOptions {
  detail: string;
  /** Defaults to the status's name, as `not_found`. */
  code?: string;
  /** The first `MAX_ISSUES` of them are told. */
  errors?: readonly InputIssue[];
  headers?: Readonly<Record<string, string>>;
}

export function problemResponse(
  status: number,
  { detail, code, errors = [], headers = {} }: ProblemOptions,
): Response {
  const title = STATUS_CODES[status] ?? 'Unknown';
  const problem: Problem = {
    type: 'about:blank',
    title,
    status,
    detail,
    code: code ?? title.toLowerCase().replaceAll(/[^a-z]+/g, '_'),
    ...(errors.length > 0 && { errors: errors.slice(0, MAX_ISSUES) }),
  };
  return new Response(JSON.stringify(problem), {
    status,
    headers: { 'content-type': PROBLEM_MEDIA_TYPE, ...headers },
  });
}
