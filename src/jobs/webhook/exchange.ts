/**
 * One HTTP request and its answer, on a connection of its own. Follows no redirect, uses no proxy.
 *
 * Guarantees: when it settles, the connection is closed; when the signal aborts, both happen at once; of the answer's body at most
 * `maxBodyBytes` are read, the rest is not waited for. Knows nothing of jobs.
 */

import type { IncomingMessage } from 'node:http';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { LookupFunction } from 'node:net';

export interface Exchange {
  url: URL;
  method: string;
  headers: Record<string, string>;
  /** Empty: no body. */
  body: Uint8Array;
  /** Resolves the host's name. */
  lookup: LookupFunction;
  maxBodyBytes: number;
  signal: AbortSignal;
}

export interface Answer {
  status: number;
  /** The first `maxBodyBytes` of it. */
  body: Buffer;
}

/** Throws what the connection or `lookup` failed with; an `AbortError` where the signal aborted before the answer was complete. */
export async function exchange(options: Exchange): Promise<Answer> {
  const { url, method, headers, body, lookup, signal } = options;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  const request = send(url, { method, headers, signal, agent: false, lookup });
  request.on('response', resolve);
  request.on('error', (error) => reject(flatten(error))); // stays: an error after the answer must not end the process
  request.on('close', () => reject(new Error('the connection was closed without an answer')));
  request.end(body);
  try {
    const response = await promise;
    return { status: response.statusCode ?? 0, body: await readStart(response, options.maxBodyBytes) };
  } finally {
    request.destroy(); // or an endpoint that answers without reading would hold the connection until all is sent
  }
}

async function readStart(response: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= maxBytes) break;
  }
  return Buffer.concat(chunks).subarray(0, maxBytes);
}

/** Where all addresses of a name were tried in vain, Node's error has a message for each and none of its own. */
function flatten(error: Error): Error {
  if (!(error instanceof AggregateError)) return error;
  return new Error(error.errors.map((each: Error) => each.message).join('; '), { cause: error });
}
