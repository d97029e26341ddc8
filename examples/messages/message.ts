/**
 * What a message is, as it is published and as it is shown.
 */
import { isIP } from 'node:net';
import { z } from 'zod';

const DAY = /^(\d{4})(\d{2})(\d{2})$/;

/** `YYYYMMDD`, which is midnight in UTC, or RFC 3339. Always RFC 3339 in UTC afterwards. */
const time = z
  .string()
  .transform((text) => text.replace(DAY, '$1-$2-$3T00:00:00Z'))
  .pipe(z.iso.datetime({ offset: true, error: 'must be YYYYMMDD or a time as RFC 3339 has it' }))
  .transform((text) => new Date(text).toISOString());

const MAX_ATTRIBUTE_CHARACTERS = 10_000;

export const publishedMessage = z.strictObject({
  ts: time,
  sender: z.string().min(1).max(200),
  messageAttributes: z
    .record(z.string().max(200), z.unknown())
    .refine((attributes) => JSON.stringify(attributes).length <= MAX_ATTRIBUTE_CHARACTERS, {
      error: `must be at most ${MAX_ATTRIBUTE_CHARACTERS} characters of JSON`,
    })
    .default({}),
  sent_from_ip: z.string().refine((text) => isIP(text) !== 0, { error: 'must be an IPv4 or IPv6 address' }),
  /** That of the job: 0 to 9, the higher first. */
  priority: z.int().min(0).max(9).default(0),
});

export type PublishedMessage = z.output<typeof publishedMessage>;

export interface Message extends PublishedMessage {
  /** That of the job which has stored it. */
  id: string;
  storedAt: string;
}
