// A receiver for the demonstration's webhooks on a free loopback port: answers 204 to everything and tells what arrived.
import { once } from 'node:events';
import { createServer } from 'node:http';

const bodyLimitBytes = 64 * 1_024;

export async function startWebhookReceiver(
  log: (line: string) => void,
): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of request) {
      size += chunk.length;
      if (size <= bodyLimitBytes) chunks.push(chunk);
    }
    log(
      `received ${request.method} webhook-id=${request.headers['webhook-id']} ${Buffer.concat(chunks).toString('utf8')}`,
    );
    response.writeHead(204).end();
  });
  server.listen({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('an HTTP server has a port');
  return {
    url: `http://127.0.0.1:${address.port}/webhook`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await server[Symbol.asyncDispose]();
    },
  };
}
