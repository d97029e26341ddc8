/**
 * Tells requests that a foreign web page makes a browser send from all others.
 *
 * A browser sends requests for any page that a person has open: to servers that only this machine reaches, and with the person's cookies. It
 * cannot be kept from sending them, but it says where they come from: `Sec-Fetch-Site` (to https and loopback servers) and `Origin` (with
 * everything but plain GET and HEAD) are out of a page's hands. A page may also give its own name the server's address (DNS rebinding) and is of
 * the same origin then: its name stands in `Host`. Programs send none of these headers and pass.
 * Sources: the Fetch standard; https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
 */
import type { Context } from 'hono';
import { isLoopback } from '#shared/base/loopback.ts';

/** Says what is wrong with the `Host`, or nothing. `hosts`, each with or without a port, are answered beside those of this machine. */
export function findForeignHost(c: Context, hosts: ReadonlySet<string>): string | undefined {
  const host = hostOf(c);
  const name = host.replace(/:\d*$/, '');
  if (isLoopback(name) || hosts.has(name) || hosts.has(host)) return undefined;
  return `this server does not answer for the host ${host.slice(0, 100)}: API_HOSTS lists more hosts`;
}

/** Says that another origin's page has sent the request, or nothing. */
export function findForeignOrigin(c: Context): string | undefined {
  const site = c.req.header('sec-fetch-site');
  if (site === 'same-origin') return undefined;
  if (site !== undefined && site !== 'none')
    return 'a page of another origin has sent this request (Sec-Fetch-Site)';
  const origin = c.req.header('origin');
  if (origin === undefined || isOriginOf(origin, hostOf(c))) return undefined;
  return 'a page of another origin has sent this request (Origin)';
}

/** Whether the browser itself says that a page of ours has sent the request, so that a cookie may speak for the person. */
export function isProvenSameOrigin(c: Context): boolean {
  if (c.req.header('sec-fetch-site') === 'same-origin') return true;
  const origin = c.req.header('origin');
  return origin !== undefined && isOriginOf(origin, hostOf(c));
}

/** Whether somebody opens a page, by a link from another site perhaps: it changes nothing, and no other page sees the answer. */
export function isNavigation(c: Context): boolean {
  return (
    (c.req.method === 'GET' || c.req.method === 'HEAD') &&
    c.req.header('sec-fetch-mode') === 'navigate' &&
    c.req.header('sec-fetch-dest') === 'document'
  );
}

/** The scheme is not compared: behind a proxy that ends TLS nobody knows it. */
function isOriginOf(origin: string, host: string): boolean {
  const parsed = URL.parse(origin); // null for "null", the origin of a sandboxed page
  return parsed !== null && parsed.host === URL.parse(`${parsed.protocol}//${host}`)?.host;
}

/** No browser leaves the header out. */
function hostOf(c: Context): string {
  return (c.req.header('host') ?? new URL(c.req.url).host).toLowerCase();
}
