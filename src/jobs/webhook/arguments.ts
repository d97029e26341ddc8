/**
 * The arguments of `deliver-webhook`. What passes here can be sent: no header breaks out of its line or speaks for the transport or for
 * Warren.
 */
import { validateHeaderName, validateHeaderValue } from 'node:http';
import { z } from 'zod';

const MAX_URL_CHARACTERS = 8_192;
const MAX_HEADERS = 50;
const MAX_HEADER_CHARACTERS = 8_192;
/** The longest that an attempt may wait for its answer, in milliseconds. */
export const MAX_TIMEOUT_MS = 600_000;
const DEFAULT_TIMEOUT_MS = 30_000;

/** Headers that the transport sets, and those by which receivers trust a delivery. */
const reservedHeaders = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'warren-attempt',
  'webhook-id',
  'webhook-signature',
  'webhook-timestamp',
]);

const url = z
  .string()
  .max(MAX_URL_CHARACTERS)
  .superRefine((text, { addIssue }) => {
    const parsed = URL.parse(text);
    if (parsed === null) return addIssue('must be an absolute URL');
    if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:')
      addIssue('must begin with http:// or https://');
    if (parsed.username !== '' || parsed.password !== '')
      addIssue('must not carry credentials: use an authorization header');
  });

const headers = z.record(z.string(), z.string()).superRefine((given, { addIssue }) => {
  const names = Object.keys(given).map((name) => name.toLowerCase());
  if (names.length > MAX_HEADERS) return addIssue(`at most ${MAX_HEADERS} headers`);
  if (new Set(names).size < names.length) addIssue('a header is given twice');
  for (const [name, value] of Object.entries(given)) {
    const problem = findHeaderProblem(name, value);
    if (problem !== undefined) addIssue({ code: 'custom', message: problem, path: [name] });
  }
});

export const webhookArguments = z
  .strictObject({
    url,
    method: z.enum(['POST', 'PUT', 'PATCH', 'DELETE', 'GET']).default('POST'),
    headers: headers.default({}),
    /** Any JSON value; a string is sent as it is. */
    body: z.unknown().optional(),
    timeoutMs: z.int().min(1).max(MAX_TIMEOUT_MS).default(DEFAULT_TIMEOUT_MS),
  })
  .refine(({ method, body }) => method !== 'GET' || body === undefined, {
    path: ['body'],
    error: 'a GET request has no body',
  });

export type WebhookArguments = z.output<typeof webhookArguments>;

function findHeaderProblem(name: string, value: string): string | undefined {
  if (name.length + value.length > MAX_HEADER_CHARACTERS)
    return `must be at most ${MAX_HEADER_CHARACTERS} characters long`;
  if (reservedHeaders.has(name.toLowerCase())) return 'is set by Warren';
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return undefined;
  } catch {
    return 'is not a valid header: names are tokens, values are Latin-1 in one line';
  }
}
