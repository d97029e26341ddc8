/**
 * Makes the request from what was given on the command line. Pure but for `--body`, which names a file.
 */
import { readFileSync } from 'node:fs';
import { InvalidArgumentError } from 'commander';
import type { CommandRequest, Part } from './request-parts.ts';

export interface BuiltRequest {
  path: string;
  init: RequestInit;
}

/** Values by the name of their part; undefined where nothing was given. */
export type Given = Readonly<Record<string, unknown>>;

/** Of one argument or option. Throws `InvalidArgumentError`. */
export function parsePart({ kind, isNullable, choices }: Part, text: string): unknown {
  if (isNullable && text === 'null') return null;
  if (choices.length > 0 && !choices.includes(text))
    throw new InvalidArgumentError(`Allowed choices are ${choices.join(', ')}.`);
  if (kind === 'number') {
    if (!/^-?\d+(\.\d+)?$/.test(text)) throw new InvalidArgumentError('It is no number.');
    return Number(text);
  }
  if (kind === 'json') return parseJson(text);
  return text;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new InvalidArgumentError('It is no JSON.');
  }
}

/** `bodyFile`: the body as a whole, `-` for standard input; what is given by itself wins over it. */
export function buildRequest(
  { method, path, parts, hasBody }: CommandRequest,
  given: Given,
  bodyFile: string | undefined,
): BuiltRequest {
  const body = bodyFile === undefined ? {} : readBody(bodyFile);
  const query = new URLSearchParams();
  const headers = new Headers();
  let target = path;
  for (const part of parts) {
    const value = given[part.name];
    if (value === undefined) continue;
    const [name = ''] = part.path;
    if (part.place === 'path') target = target.replace(`{${name}}`, encodeURIComponent(`${value}`));
    else if (part.place === 'header') headers.set(name, `${value}`);
    else if (part.place === 'query') for (const each of [value].flat()) query.append(name, `${each}`);
    else setMember(body, part.path, value);
  }
  const search = query.size === 0 ? '' : `?${query}`;
  if (!hasBody || (Object.keys(body).length === 0 && bodyFile === undefined && method === 'POST'))
    return { path: target + search, init: { method, headers } };
  headers.set('content-type', 'application/json');
  return { path: target + search, init: { method, headers, body: JSON.stringify(body) } };
}

function readBody(file: string): Record<string, unknown> {
  const body = parseJson(readFileSync(file === '-' ? 0 : file, 'utf8'));
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return { ...body };
  throw new InvalidArgumentError(`${file} holds no JSON object.`);
}

function setMember(
  body: Record<string, unknown>,
  [first = '', ...rest]: readonly string[],
  value: unknown,
): void {
  if (rest.length === 0) {
    body[first] = value;
    return;
  }
  body[first] = { ...(body[first] as object | undefined) };
  setMember(body[first] as Record<string, unknown>, rest, value);
}
