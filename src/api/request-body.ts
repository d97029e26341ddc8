/**
 * Reads a JSON body once, within bounds, before the route's schema looks at it.
 *
 * 413: larger than `maxBytes`, declared or found while reading. 415: not JSON, not UTF-8, or compressed. 400: missing or malformed.
 * 422: JSON that Postgres could not keep as it was sent. The body limit of hono is slow (it makes a new Request), so that only bodies of unknown
 * length go through it.
 */
import type { Context, MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { HTTPException } from 'hono/http-exception';
import { InvalidInput } from '#shared/errors.ts';
import { MAX_ISSUES } from '#shared/http/problem-response.ts';
import { findUnstorable } from './storable-json.ts';

export interface JsonBodyOptions {
  maxBytes: number;
  /** Containers within each other, the body itself included. */
  maxDepth: number;
}

const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json\s*(?:;\s*charset="?utf-8"?\s*)?$/i;
const utf8 = new TextDecoder('utf-8', { fatal: true });

export function jsonBody({ maxBytes, maxDepth }: JsonBodyOptions): MiddlewareHandler {
  const tooLarge = () => {
    throw new HTTPException(413, { message: `the body is larger than ${maxBytes} bytes` });
  };
  const limitWhileReading = bodyLimit({ maxSize: maxBytes, onError: tooLarge });
  return async (c, next) => {
    const length = c.req.header('content-length');
    if (length !== undefined && Number(length) > maxBytes) tooLarge();
    if (length === undefined) await limitWhileReading(c, async () => {});
    const bytes = await readBytes(c);
    const value = parseJson(bytes);
    const issues = findUnstorable(value, { maxDepth, maxIssues: MAX_ISSUES });
    if (issues.length > 0) throw new InvalidInput('not_storable', 'the body cannot be kept as it is', issues);
    c.req.json = async () => value as never; // the validator behind this parses no second time
    await next();
  };
}

async function readBytes(c: Context): Promise<ArrayBuffer> {
  const encoding = c.req.header('content-encoding') ?? 'identity';
  if (encoding.toLowerCase() !== 'identity') refuseMedia(`send the body as it is, not as ${encoding}`);
  const bytes = await readAll(c);
  if (bytes.byteLength === 0) throw new HTTPException(400, { message: 'the body is missing' });
  const type = c.req.header('content-type') ?? 'without a content type';
  if (!JSON_TYPE.test(type)) refuseMedia(`send application/json in UTF-8, not a body ${type}`);
  return bytes;
}

/** A client that goes away in the middle of its body is nobody's fault here. */
async function readAll(c: Context): Promise<ArrayBuffer> {
  try {
    return await c.req.arrayBuffer();
  } catch (cause) {
    throw new HTTPException(400, { message: 'the body ended before its end', cause });
  }
}

function parseJson(bytes: ArrayBuffer): unknown {
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch (error) {
    const reason = error instanceof TypeError ? 'it is not UTF-8' : (error as Error).message.slice(0, 200);
    throw new HTTPException(400, { message: `the body is not JSON: ${reason}` });
  }
}

function refuseMedia(message: string): never {
  throw new HTTPException(415, { message });
}
