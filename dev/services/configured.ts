// The first way: servers that the environment names. They are used as they are and never stopped.
import { nodeUrls } from '../../src/shared/base/amqp-url.ts';
import type { Environment } from '../environment.ts';

/** The management API is where RABBITMQ_MANAGEMENT_URL says, or on its usual port of the AMQP host, of the first where there are several. */
export function configuredManagementUrl({ amqpUrl, managementUrl }: Environment): string | undefined {
  if (managementUrl !== undefined) return managementUrl.replace(/\/+$/, '');
  if (amqpUrl === undefined) return undefined;
  if (amqpUrl === 'none') return 'none';
  const [node = ''] = nodeUrls(amqpUrl);
  const amqp = parseUrl('AMQP_URL', node);
  const secure = amqp.protocol === 'amqps:';
  const credentials = amqp.username === '' ? 'guest:guest' : `${amqp.username}:${amqp.password}`;
  return `${secure ? 'https' : 'http'}://${credentials}@${amqp.hostname}:${secure ? 15_671 : 15_672}`;
}

function parseUrl(name: string, text: string): URL {
  const url = URL.parse(text);
  if (url === null) throw new Error(`${name} is not a URL`);
  return url;
}
