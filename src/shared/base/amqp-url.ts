/**
 * AMQP URLs that name the nodes of a cluster: `amqp://user:password@a:5672,b:5672/vhost`, as Postgres has it in its own. Pure.
 */

/** Scheme and user, hosts, the rest. A password may have an @. */
const PARTS = /^(\w+:\/\/(?:[^/?#]*@)?)([^/?#]*)(.*)$/s;

/** One URL for each node, in their order; the URL itself where it names one. What is no URL comes back as it is. */
export function nodeUrls(url: string): string[] {
  const [, before = '', hosts = '', after = ''] = PARTS.exec(url) ?? [];
  if (!hosts.includes(',')) return [url];
  return hosts.split(',').map((host) => `${before}${host.trim()}${after}`);
}
