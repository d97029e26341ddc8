/**
 * What the settings may hold that are keys. What is wrong is told without a part of it. Pure.
 */
import { z } from 'zod';
import { parseKeyRing } from '../job/encryption.ts';

const webhookSecret = z
  .string()
  .regex(/^(whsec_)?[A-Za-z0-9+/]+={0,2}$/, 'must be base64, with or without whsec_ before it')
  .refine((text) => isWebhookKey(text), 'must be 24 to 64 bytes in base64 (openssl rand -base64 32)');

/** Several, separated by spaces or commas. */
export const webhookSecrets = z
  .string()
  .transform((text) => text.split(/[\s,]+/).filter((secret) => secret !== ''))
  .pipe(z.array(webhookSecret).min(1, 'lists nothing'));

/** A ring as `Encryption` takes it. */
export const encryptionKeys = z.string().superRefine((text, context) => {
  try {
    parseKeyRing(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as RangeError).message });
  }
});

/** As long as Standard Webhooks wants it: a shorter one can be guessed, and some text that is no base64 decodes to nothing at all. */
function isWebhookKey(secret: string): boolean {
  const { length } = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  return length >= 24 && length <= 64;
}
