/**
 * The headers of a page: it may load nothing and run nothing but its own style, send forms to this server alone, and be framed by nobody.
 */
import { createHash } from 'node:crypto';

/** `style`: what stands in the page's one style element. */
export function pageHeaders(style: string): Record<string, string> {
  const policy = [
    "default-src 'none'",
    `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ];
  return {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': policy.join('; '),
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'same-origin', // with no-referrer a browser sends "Origin: null" with our own forms
    'cache-control': 'no-store',
  };
}
