/**
 * What a report is. Every program checks it by this, whoever has sent it.
 */
import { z } from 'zod';

const regionNames = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' });
const CODE = /^[A-Z]{2}$/;
const LETTERS = Array.from({ length: 26 }, (_, index) => String.fromCharCode(65 + index));
const countryNames: ReadonlySet<string> = new Set(
  LETTERS.flatMap((first) => LETTERS.map((second) => regionNames.of(first + second) ?? '')).filter(
    (name) => name !== '',
  ),
);

/** A code of ISO 3166 or an English name. It is counted as it is given, so that there is a bound to what is counted. */
const country = z
  .string()
  .refine((text) => countryNames.has(text) || (CODE.test(text) && regionNames.of(text) !== undefined), {
    error: 'must be a country: its code by ISO 3166, as GT, or its English name',
  });

export const report = z.strictObject({
  description: z.string().min(1).max(1_000),
  country,
  weather: z.string().regex(/^\p{L}[\p{L}\p{M} -]{0,39}$/u, 'must be one to forty letters, as sunny'),
});

export type Report = z.output<typeof report>;

/** The same for every time that a report is sent. */
export const reportId = z
  .string()
  .regex(/^[\x21-\x7e]{1,200}$/, 'must be 1 to 200 printable ASCII characters');
