// A receiver for the demonstration's webhooks on a free loopback port. By path: `/webhook` answers 204, `/unsteady` 500 to the first delivery of each
// webhook and 204 to the next, `/held` keeps the first delivery waiting and answers 204 to the next.
// Guarantees: tells when each delivery arrived, on this process's clock; what is held is answered when it is let go, or after 30 s.
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';

export type Delivery = {
  /** The job's id. */
  readonly webhookId: string;
  /** On the clock of `performance.now()`. */
  readonly arrivedAt: number;
};

export type WebhookReceiver = AsyncDisposable & {
  readonly url: string;
  /** Every delivery to `/held` so far, in the order of arrival. */
  readonly held: readonly Delivery[];
  /** Answers what is held. */
  letGo(): void;
};

const bodyLimitBytes = 64 * 1_024;
const holdMs = 30_000;
/** Somebody may point other jobs here. */
const maxSeen = 10_000;

export async function startWebhookReceiver(log: (line: string) => void): Promise<WebhookReceiver> {
  const seen = new Set<string>();
  const held: Delivery[] = [];
  const waiting = new Set<ServerResponse>();
  const answer = (response: ServerResponse, status = 204) => {
    waiting.delete(response);
    response.writeHead(status).end();
  };
  const server = createServer(async (request, response) => {
    const arrivedAt = performance.now();
    const webhookId = String(request.headers['webhook-id']);
    const body = await readBody(request);
    const isFirst = !seen.has(`${request.url} ${webhookId}`);
    if (seen.size >= maxSeen) seen.clear();
    seen.add(`${request.url} ${webhookId}`);
    if (request.url === '/held') {
      held.push({ webhookId, arrivedAt });
      if (!isFirst) return answer(response);
      waiting.add(response);
      const timer = setTimeout(() => answer(response), holdMs);
      response.once('close', () => {
        clearTimeout(timer);
        waiting.delete(response);
      });
      return;
    }
    const status = request.url === '/unsteady' && isFirst ? 500 : 204;
    log(`received ${request.method} webhook-id=${webhookId} ${body}, answers ${status}`);
    answer(response, status);
  });
  server.listen({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('an HTTP server has a port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    held,
    letGo: () => {
      for (const response of waiting) answer(response);
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request) {
      size += chunk.length;
      if (size <= bodyLimitBytes) chunks.push(chunk);
    }
  } catch {
    // The worker was killed while it sent.
  }
  return Buffer.concat(chunks).toString('utf8');
}
