/**
 * Reads a JSON body once, within bounds, before the route's schema looks at it.
 *
 * 413: larger than `maxBytes`, declared or found while reading. 415: not JSON, not UTF-8, or compressed. 400: missing or malformed.
 * 422: too many values, or JSON that Postgres could not keep as it was sent. 503: no room in the budget, which is asked before anything is read and
 * holds the body until the answer. The body limit of hono is slow (it makes a new Request), so that only bodies of unknown length go through it.
 */
import type { Context, MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { HTTPException } from 'hono/http-exception';
import { InvalidInput } from '#shared/base/errors.ts';
import { nextTurn } from '#shared/base/slices.ts';
import { MAX_ISSUES } from '#shared/http/problem-response.ts';
import type { BodyBudget, BodyReservation } from './body-budget.ts';
import { BYTES_PER_VALUE } from './body-budget.ts';
import { countValues } from './json-text.ts';
import { findUnstorable } from './storable-json.ts';

export interface BodyOptions {
  maxBytes: number;
  budget: BodyBudget;
}

export interface JsonReaderOptions extends BodyOptions {
  /** Values in all, containers included. */
  maxValues: number;
  /** Containers within each other, the body itself included. */
  maxDepth: number;
}

export interface JsonBodyOptions extends JsonReaderOptions {
  /** Without a body it is read as an empty object. Defaults to false. */
  isOptional?: boolean;
}

/** What can be parsed, looked at and checked within a few milliseconds; more than that waits for its turn before each step. */
const LONG_BYTES = 65_536;
const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json\s*(?:;\s*charset="?utf-8"?\s*)?$/i;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Middleware: gives the validator behind it the parsed body. */
export function jsonBody({ isOptional = false, ...options }: JsonBodyOptions): MiddlewareHandler {
  const withJson = jsonReader(options);
  return async (c, next) => {
    if (isOptional && !hasBody(c)) {
      c.req.json = async () => ({}) as never;
      await next();
      return;
    }
    await withJson(c, async (value) => {
      c.req.json = async () => value as never; // the validator behind this parses no second time
      await next();
    });
  };
}

export type WithJson = <Result>(c: Context, use: (value: unknown) => Promise<Result>) => Promise<Result>;

/** Reads bodies of one JSON value that Postgres can keep. What a body holds of the budget is given back when `use` has ended. */
export function jsonReader({ maxValues, maxDepth, ...options }: JsonReaderOptions): WithJson {
  const withBody = bodyReader(options);
  return (c, use) =>
    withBody(c, async (bytes, reservation) => {
      const values = countValues(bytes, maxValues);
      if (values > maxValues) throw tooManyValues(maxValues);
      reservation.add(values * BYTES_PER_VALUE);
      const isLong = bytes.byteLength > LONG_BYTES;
      if (isLong) await nextTurn();
      const value = parseJson(bytes);
      if (isLong) await nextTurn();
      const issues = findUnstorable(value, { maxDepth, maxIssues: MAX_ISSUES });
      if (issues.length > 0)
        throw new InvalidInput('not_storable', 'the body cannot be kept as it is', issues);
      return await use(value);
    });
}

function hasBody(c: Context): boolean {
  return (c.req.header('content-length') ?? '0') !== '0' || c.req.header('transfer-encoding') !== undefined;
}

export type WithBody = <Result>(
  c: Context,
  use: (bytes: Uint8Array, reservation: BodyReservation) => Promise<Result>,
) => Promise<Result>;

/** Reads bodies within bounds. What a body holds of the budget is given back when `use` has ended. */
export function bodyReader({ maxBytes, budget }: BodyOptions): WithBody {
  const tooLarge = () => {
    throw new HTTPException(413, { message: `the body is larger than ${maxBytes} bytes` });
  };
  const limitWhileReading = bodyLimit({ maxSize: maxBytes, onError: tooLarge });
  return async (c, use) => {
    const length = c.req.header('content-length');
    if (length !== undefined && Number(length) > maxBytes) tooLarge();
    using reservation = budget.hold(length === undefined ? maxBytes : Number(length));
    if (length === undefined) await limitWhileReading(c, async () => {});
    return await use(await readBytes(c), reservation);
  };
}

/** One value, without a byte order mark. Throws an `HTTPException` where it is none. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch (error) {
    const reason = error instanceof TypeError ? 'it is not UTF-8' : (error as Error).message.slice(0, 200);
    throw new HTTPException(400, { message: `the body is not JSON: ${reason}` });
  }
}

async function readBytes(c: Context): Promise<Uint8Array> {
  const encoding = c.req.header('content-encoding') ?? 'identity';
  if (encoding.toLowerCase() !== 'identity') refuseMedia(`send the body as it is, not as ${encoding}`);
  const bytes = await readAll(c);
  if (bytes.byteLength === 0) throw new HTTPException(400, { message: 'the body is missing' });
  const type = c.req.header('content-type') ?? 'without a content type';
  if (!JSON_TYPE.test(type)) refuseMedia(`send application/json in UTF-8, not a body ${type}`);
  return withoutByteOrderMark(new Uint8Array(bytes));
}

/** A client that goes away in the middle of its body is nobody's fault here. */
async function readAll(c: Context): Promise<ArrayBuffer> {
  try {
    return await c.req.arrayBuffer();
  } catch (cause) {
    throw new HTTPException(400, { message: 'the body ended before its end', cause });
  }
}

function withoutByteOrderMark(bytes: Uint8Array): Uint8Array {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
}

function tooManyValues(maxValues: number): InvalidInput {
  const issues = [{ detail: `must have at most ${maxValues} JSON values`, pointer: '' }];
  return new InvalidInput('invalid_body', 'the body does not fit its schema', issues);
}

function refuseMedia(message: string): never {
  throw new HTTPException(415, { message });
}
