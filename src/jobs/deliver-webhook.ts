/**
 * `deliver-webhook`: sends an HTTP request, signed as Standard Webhooks has it.
 *
 * 2xx completes the job, 410 (Gone) and an address that is not public cancel it, anything else (redirects too: none is followed) fails the
 * attempt, which is repeated. The receiver may see a delivery more than once, always under the same `webhook-id`. An abort closes the connection.
 */
import type { JobSettings } from '#shared/job/job.ts';
import type { ShippedJobContext } from '#shared/job/shipped-job-context.ts';
import { cancel, defineJob } from './define.ts';
import { assertLiteralIsPublic, createLookup, PrivateAddress } from './webhook/addresses.ts';
import type { WebhookArguments } from './webhook/arguments.ts';
import { MAX_TIMEOUT_MS, webhookArguments } from './webhook/arguments.ts';
import type { Answer } from './webhook/exchange.ts';
import { exchange } from './webhook/exchange.ts';
import { NameResolver } from './webhook/name-resolver.ts';
import { webhookHeaders } from './webhook/signature.ts';

const MAX_BODY_BYTES = 65_536;
const MAX_PREVIEW_BYTES = 1_024;
const MAX_ERROR_CHARACTERS = 500;
const HTTP_GONE = 410;

export const deliverWebhook = defineJob({
  type: 'deliver-webhook',
  queue: 'webhooks',
  args: webhookArguments,
  shared: true, // every application has it, perhaps of another version of this package
  redact: ['headers.*'], // any of them may be a credential, whatever its name
  timeoutMs: MAX_TIMEOUT_MS + 10_000, // the job's own deadline comes first
  async perform(args, context: ShippedJobContext) {
    const startedAt = performance.now();
    try {
      const { status, body } = await send(args, context);
      if (status === HTTP_GONE)
        return cancel('the endpoint answered 410: it is gone and wants no more deliveries');
      if (status < 200 || status > 299) throw new Error(describeFailure(status, body));
      const bodyPreview = printable(body, MAX_PREVIEW_BYTES);
      const durationMs = Math.round(performance.now() - startedAt);
      return { status, durationMs, ...(bodyPreview === '' ? {} : { bodyPreview }) };
    } catch (error) {
      if (error instanceof PrivateAddress)
        return cancel(
          `${error.message}, and neither WEBHOOK_ALLOWED_DESTINATIONS nor WEBHOOK_ALLOW_PRIVATE lets it`,
        );
      throw error;
    }
  },
});

/** Throws `PrivateAddress`, or an error with a message that says what became of the request. */
async function send(args: WebhookArguments, context: ShippedJobContext): Promise<Answer> {
  const url = new URL(args.url);
  const mayBePrivate = isAllowedPrivate(url, context.settings);
  if (!mayBePrivate) assertLiteralIsPublic(url);
  const body = encodeBody(args.body);
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), args.timeoutMs);
  try {
    return await exchange({
      url,
      method: args.method,
      headers: composeHeaders(args, body, context),
      body,
      lookup: createLookup({ resolver: resolverOf(context.settings), mayBePrivate }),
      maxBodyBytes: MAX_BODY_BYTES,
      signal: AbortSignal.any([context.signal, deadline.signal]),
    });
  } catch (error) {
    if (error instanceof PrivateAddress || context.signal.aborted) throw error;
    if (deadline.signal.aborted) throw new Error(`no complete answer within ${args.timeoutMs} ms`);
    throw new Error(`the request failed: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  } finally {
    clearTimeout(timer);
  }
}

/** A destination that is listed is trusted whatever its name resolves to. */
function isAllowedPrivate(
  url: URL,
  { webhookAllowPrivate, webhookAllowedDestinations }: JobSettings,
): boolean {
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return webhookAllowPrivate || webhookAllowedDestinations.includes(`${url.hostname}:${port}`);
}

/** One for all attempts of a process, so that look-ups are bounded and shared; a process has one object of settings. */
const resolvers = new WeakMap<JobSettings, NameResolver>();

function resolverOf(settings: JobSettings): NameResolver {
  const known = resolvers.get(settings);
  if (known !== undefined) return known;
  const resolver = new NameResolver({ nameservers: settings.webhookNameservers });
  resolvers.set(settings, resolver);
  return resolver;
}

function encodeBody(body: unknown): Buffer {
  if (body === undefined) return Buffer.alloc(0);
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}

function composeHeaders(
  args: WebhookArguments,
  body: Buffer,
  context: ShippedJobContext,
): Record<string, string> {
  const { jobId, attempt, traceparent, settings } = context;
  const timestamp = Math.floor(Date.now() / 1_000);
  const type = typeof args.body === 'string' ? 'text/plain; charset=utf-8' : 'application/json';
  return {
    'user-agent': 'warren',
    ...(args.body === undefined ? {} : { 'content-type': type }),
    ...(traceparent === undefined ? {} : { traceparent }),
    ...args.headers, // Node takes the later of two that differ in case
    ...(args.method === 'GET' ? {} : { 'content-length': String(body.length) }),
    ...webhookHeaders({ id: jobId, timestamp, body, secrets: settings.webhookSecrets }),
    'warren-attempt': String(attempt),
  };
}

function describeFailure(status: number, body: Buffer): string {
  const start = printable(body, MAX_BODY_BYTES).slice(0, MAX_ERROR_CHARACTERS).toWellFormed();
  return start === '' ? `the endpoint answered ${status}` : `the endpoint answered ${status}: ${start}`;
}

/** The start of a body as text without control characters, at most `maxBytes` long in UTF-8. */
function printable(body: Buffer, maxBytes: number): string {
  const text = body
    .toString()
    .replaceAll(/\p{Cc}+/gu, ' ')
    .trim();
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(maxBytes));
  return text.slice(0, read);
}
