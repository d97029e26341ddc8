// One HTTP request over the caller's agent, as the load generators send thousands of them. Guarantees: it ends at its deadline at the latest, and
// of the answer no more is kept than a bound allows.
import type { Agent } from 'node:http';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';

export interface RequestOptions {
  method: 'GET' | 'POST';
  agent: Agent;
  headers?: Readonly<Record<string, string>>;
  /** JSON. */
  body?: string | undefined;
}

export interface Answer {
  status: number;
  /** Its first 64 KiB. */
  text: string;
}

const DEADLINE_MS = 10_000;
const MAX_TEXT = 65_536;

/** Rejects where the connection breaks before the answer has ended, and at the deadline. */
export function sendRequest(url: URL, { method, agent, headers, body }: RequestOptions): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const deadline = setTimeout(
    () => request.destroy(new Error(`no answer within ${DEADLINE_MS / 1_000} s`)),
    DEADLINE_MS,
  );
  const ofBody =
    body === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const request = send(url, { method, agent, headers: { ...headers, ...ofBody } }, (response) => {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      if (text.length < MAX_TEXT) text += chunk;
    });
    response.once('end', () => resolve({ status: response.statusCode ?? 0, text: text.slice(0, MAX_TEXT) }));
    response.once('error', reject);
  });
  request.once('error', reject);
  request.once('close', () => {
    clearTimeout(deadline);
    reject(new Error('the connection was closed before the answer')); // settled already, unless it is true
  });
  request.end(body);
  return promise;
}
