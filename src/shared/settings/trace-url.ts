/**
 * A setting that says where a trace is looked at. Pure.
 */
import { z } from 'zod';

const PLACE = '{traceId}';

/** A URL of HTTP with `{traceId}` in it, and without a user: whoever may look at jobs sees it. */
export const traceUrlTemplate = z
  .string()
  .refine(
    isTemplate,
    `must be a URL that begins with http:// or https://, has ${PLACE} in it, and neither spaces nor a user`,
  );

/** `traceId`: 32 hexadecimal digits. */
export function toTraceUrl(template: string, traceId: string): string {
  return template.replaceAll(PLACE, traceId);
}

function isTemplate(text: string): boolean {
  if (!/^https?:\/\/[\x21-\x7e]+$/.test(text) || !text.includes(PLACE)) return false;
  const url = text.replaceAll(PLACE, '0');
  if (!URL.canParse(url)) return false;
  const { username, password } = new URL(url);
  return username === '' && password === '';
}
