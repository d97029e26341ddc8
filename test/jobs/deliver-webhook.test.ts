import { createHmac } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Cancel } from '../../src/jobs/define.ts';
import { deliverWebhook } from '../../src/jobs/deliver-webhook.ts';
import { parseArguments } from '../../src/shared/job/arguments.ts';
import type { ShippedJobContext } from '../../src/shared/job/shipped-job-context.ts';
import { closed, startEndpoint } from './webhook/endpoint.ts';

const key = Buffer.from('a secret of more than twenty-four bytes');
const webhookSecret = `whsec_${key.toString('base64')}`;

afterEach(() => {
  vi.useRealTimers();
});

const answerWith =
  (status: number, body: string | Buffer = '', headers: Record<string, string> = {}) =>
  (response: ServerResponse) => {
    response.writeHead(status, headers).end(body);
  };

describe('the request', () => {
  test('carries the headers of Standard Webhooks, with a signature that the receiver can check', async () => {
    await using endpoint = await startEndpoint(answerWith(204));
    const before = Math.floor(Date.now() / 1_000);
    await deliver({ url: endpoint.url, body: { text: 'Grüße 🐇' } }, { jobId: '4711', attempt: 3 });
    const [request] = endpoint.requests;
    const timestamp = Number(request?.headers['webhook-timestamp']);
    const signed = `4711.${timestamp}.${request?.body}`;
    expect(request?.headers).toMatchObject({
      'webhook-id': '4711',
      'webhook-signature': `v1,${createHmac('sha256', key).update(signed).digest('base64')}`,
      'warren-attempt': '3',
    });
    expect(timestamp).toBeGreaterThanOrEqual(before);
    expect(timestamp).toBeLessThanOrEqual(Date.now() / 1_000);
  });

  test('is not signed without a secret', async () => {
    await using endpoint = await startEndpoint(answerWith(204));
    await deliver(
      { url: endpoint.url },
      {
        settings: {
          webhookAllowPrivate: true,
          webhookAllowedDestinations: [],
          webhookNameservers: [],
          webhookSecrets: [],
        },
      },
    );
    expect(endpoint.requests[0]?.headers).toHaveProperty('webhook-id');
    expect(endpoint.requests[0]?.headers).not.toHaveProperty('webhook-signature');
  });

  test.each([
    [{ a: [1, null] }, '{"a":[1,null]}', 'application/json'],
    ['{"ready": true}', '{"ready": true}', 'text/plain; charset=utf-8'],
    [null, 'null', 'application/json'],
    [0, '0', 'application/json'],
    ['', '', 'text/plain; charset=utf-8'],
  ])('sends the body %j as %j, %s', async (body, sent, type) => {
    await using endpoint = await startEndpoint(answerWith(200));
    await deliver({ url: endpoint.url, body });
    expect(endpoint.requests[0]?.body).toBe(sent);
    expect(endpoint.requests[0]?.headers).toMatchObject({
      'content-type': type,
      'content-length': String(Buffer.byteLength(sent)),
    });
  });

  test('without a body has no content type', async () => {
    await using endpoint = await startEndpoint(answerWith(200));
    await deliver({ url: endpoint.url });
    expect(endpoint.requests[0]?.headers).not.toHaveProperty('content-type');
    expect(endpoint.requests[0]?.headers).toMatchObject({ 'content-length': '0' });
  });

  test('carries the trace of the request that enqueued the job, and no other', async () => {
    await using endpoint = await startEndpoint(answerWith(204));
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await deliver({ url: endpoint.url }, { traceparent });
    await deliver({ url: endpoint.url, headers: { Traceparent: 'of the user' } }, { traceparent });
    await deliver({ url: endpoint.url });
    expect(endpoint.requests.map(({ headers }) => headers['traceparent'])).toEqual([
      traceparent,
      'of the user',
      undefined,
    ]);
  });

  test.each(['POST', 'PUT', 'PATCH', 'DELETE', 'GET'])('is a %s where asked for', async (method) => {
    await using endpoint = await startEndpoint(answerWith(200));
    const body = method === 'GET' ? {} : { body: [method] };
    await deliver({ url: `${endpoint.url}?a=b%20c#fragment`, method, ...body });
    expect(endpoint.requests[0]).toMatchObject({ method, path: '/hook?a=b%20c' });
    expect(endpoint.requests[0]?.body).toBe(method === 'GET' ? '' : `["${method}"]`);
  });

  test("has the user's headers, whose content type wins", async () => {
    await using endpoint = await startEndpoint(answerWith(200));
    const headers = { 'Content-Type': 'application/cloudevents+json', Authorization: 'Bearer x' };
    await deliver({ url: endpoint.url, headers, body: {} });
    expect(endpoint.requests[0]?.headers).toMatchObject({
      'content-type': 'application/cloudevents+json',
      authorization: 'Bearer x',
    });
  });
});

describe('the answer', () => {
  test('of 2xx completes, with the start of the body as output', async () => {
    await using endpoint = await startEndpoint(answerWith(201, 'created'));
    expect(await deliver({ url: endpoint.url })).toEqual({
      status: 201,
      durationMs: expect.any(Number),
      bodyPreview: 'created',
    });
  });

  test('without a body gives no preview', async () => {
    await using endpoint = await startEndpoint(answerWith(204));
    expect(await deliver({ url: endpoint.url })).toEqual({ status: 204, durationMs: expect.any(Number) });
  });

  test.each([
    ['characters of several bytes', Buffer.from('🐇'.repeat(1_000))],
    ['bytes that are not text', Buffer.alloc(3_000, 0xff)],
    ['zero bytes and escapes', Buffer.from('\u0000\u001b[31m'.repeat(1_000))],
    ['more than is read', Buffer.alloc(1_000_000, 'x')],
  ])('with %s has a preview of at most 1 KiB that Postgres can store', async (_, body) => {
    await using endpoint = await startEndpoint(answerWith(200, body));
    const { bodyPreview } = (await deliver({ url: endpoint.url })) as { bodyPreview: string };
    expect(Buffer.byteLength(bodyPreview)).toBeGreaterThan(1_000);
    expect(Buffer.byteLength(bodyPreview)).toBeLessThanOrEqual(1_024);
    expect(bodyPreview.isWellFormed()).toBe(true);
    expect(bodyPreview).not.toMatch(/\p{Cc}/u);
  });

  test('of 410 cancels', async () => {
    await using endpoint = await startEndpoint(answerWith(410));
    expect(await deliver({ url: endpoint.url })).toBeInstanceOf(Cancel);
  });

  test.each([304, 400, 404, 409, 429, 500, 503])('of %i fails the attempt', async (status) => {
    await using endpoint = await startEndpoint(answerWith(status));
    await expect(deliver({ url: endpoint.url })).rejects.toThrow(
      new RegExp(`^the endpoint answered ${status}$`),
    );
  });

  test('that fails is quoted, at most 500 characters of it', async () => {
    await using endpoint = await startEndpoint(answerWith(500, `broken\r\n\u001b[31m${'x'.repeat(2_000)}`));
    const error = await deliver({ url: endpoint.url }).catch((thrown: unknown) => thrown as Error);
    expect((error as Error).message).toMatch(/^the endpoint answered 500: broken \[31mx{489}$/);
  });

  test.each([301, 302, 303, 307, 308])('of %i fails the attempt: no redirect is followed', async (status) => {
    await using target = await startEndpoint(answerWith(200));
    await using endpoint = await startEndpoint(answerWith(status, '', { location: target.url }));
    await expect(deliver({ url: endpoint.url })).rejects.toThrow(`answered ${status}`);
    expect(target.requests).toEqual([]);
  });

  test('that never comes because nobody listens fails the attempt and says why', async () => {
    const endpoint = await startEndpoint(answerWith(200));
    await endpoint[Symbol.asyncDispose]();
    await expect(deliver({ url: endpoint.url })).rejects.toThrow(/the request failed: connect ECONNREFUSED/);
    const byName = endpoint.url.replace('127.0.0.1', 'localhost'); // two addresses: Node reports them together
    await expect(deliver({ url: byName })).rejects.toThrow(/the request failed: connect ECONNREFUSED/);
  });
});

describe('the deadline', () => {
  test.each([
    ['does not answer', () => {}],
    ['stops amid its answer', (response: ServerResponse) => response.write('half')],
    ['sends its headers only', (response: ServerResponse) => response.flushHeaders()],
  ])('ends an attempt whose endpoint %s', async (_, answer) => {
    await using endpoint = await startEndpoint(answer);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const failure = expect(deliver({ url: endpoint.url, timeoutMs: 50 })).rejects.toThrow(
      'no complete answer within 50 ms',
    );
    await endpoint.nextRequest();
    vi.advanceTimersByTime(50);
    await failure;
    expect(endpoint.requests).toHaveLength(1);
  });

  test.each([
    ['before the answer', () => {}],
    ['amid the answer', (response: ServerResponse) => response.write('half')],
  ])('an abort %s closes the connection at once', async (_, answer) => {
    await using endpoint = await startEndpoint(answer);
    const controller = new AbortController();
    const delivery = deliver({ url: endpoint.url, timeoutMs: 600_000 }, { signal: controller.signal });
    const failure = expect(delivery).rejects.toThrow();
    const { socket } = await endpoint.nextRequest();
    const disconnected = closed(socket);
    controller.abort('cancel');
    await Promise.all([failure, disconnected]);
  });

  test('a job that is aborted already sends nothing', async () => {
    await using endpoint = await startEndpoint(answerWith(200));
    await expect(deliver({ url: endpoint.url }, { signal: AbortSignal.abort('drain') })).rejects.toThrow();
    expect(endpoint.requests).toEqual([]);
  });
});

describe('a private address', () => {
  const settings = {
    webhookAllowPrivate: false,
    webhookAllowedDestinations: [],
    webhookNameservers: [],
    webhookSecrets: [webhookSecret],
  };

  test.each(['127.0.0.1', '[::ffff:127.0.0.1]', '0x7f000001', '2130706433', '127.1', 'localhost'])(
    '%s is never connected to, and cancels the job',
    async (host) => {
      await using endpoint = await startEndpoint(answerWith(200));
      const result = await deliver({ url: `http://${host}:${endpoint.port}/` }, { settings });
      expect(result).toBeInstanceOf(Cancel);
      expect((result as Cancel).reason).toMatch(/not a public address/);
      expect(endpoint.requests).toEqual([]);
    },
  );

  test('is called where it is listed with its port, and nothing beside it', async () => {
    await using endpoint = await startEndpoint(answerWith(200));
    await using other = await startEndpoint(answerWith(200));
    const listed = {
      settings: {
        ...settings,
        webhookAllowedDestinations: [`127.0.0.1:${endpoint.port}`, `localhost:${endpoint.port}`],
        webhookNameservers: [],
      },
    };
    await deliver({ url: endpoint.url }, listed);
    await deliver({ url: endpoint.url.replace('127.0.0.1', 'localhost') }, listed);
    expect(endpoint.requests).toHaveLength(2);
    expect(await deliver({ url: other.url }, listed)).toBeInstanceOf(Cancel);
    expect(await deliver({ url: `http://127.0.0.2:${endpoint.port}/` }, listed)).toBeInstanceOf(Cancel);
    expect(other.requests).toEqual([]);
  });

  test('is called where the settings allow it, by name too', async () => {
    await using endpoint = await startEndpoint(answerWith(200));
    await deliver({ url: endpoint.url });
    await deliver({ url: endpoint.url.replace('127.0.0.1', 'localhost') });
    expect(endpoint.requests).toHaveLength(2);
  });
});

test("the definition's timeout is above the longest deadline of its own", () => {
  expect(deliverWebhook.timeoutMs).toBeGreaterThan(600_000);
});

/** Performs one attempt; private addresses are allowed and a secret is set unless the context says otherwise. */
async function deliver(
  args: Record<string, unknown>,
  context: Partial<ShippedJobContext> = {},
): Promise<unknown> {
  return await deliverWebhook.perform(await parseArguments(deliverWebhook, args), {
    jobId: '1',
    transaction: async () => Promise.reject(new Error('there is none')),
    attempt: 1,
    maxAttempts: 10,
    fence: 1,
    progress: () => {},
    signal: new AbortController().signal,
    log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    services: undefined,
    settings: {
      webhookAllowPrivate: true,
      webhookAllowedDestinations: [],
      webhookNameservers: [],
      webhookSecrets: [webhookSecret],
    },
    ...context,
  });
}
