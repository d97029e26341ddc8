/**
 * A setting that is the URL of something on HTTP. Pure.
 */
import { z } from 'zod';

/** Without a query or a fragment: a path goes behind it. The slashes at its end are taken off. */
export const webUrl = z
  .string()
  .refine(isWebUrl, 'must be a URL that begins with http:// or https://, without ? and #')
  .transform((text) => text.replace(/\/+$/, ''));

function isWebUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, search, hash } = new URL(text);
  return ['http:', 'https:'].includes(protocol) && search === '' && hash === '';
}
