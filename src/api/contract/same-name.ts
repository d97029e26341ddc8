/**
 * The name of a thing in the body that sets it, where its address says it already: answers have it, and are sent back changed.
 */
import { z } from '@hono/zod-openapi';
import { InvalidInput } from '#shared/base/errors.ts';

export const sameName = z.string().optional().openapi({ description: 'that of the path, if given' });

/** Throws `InvalidInput` where another name is given. */
export function assertSameName(given: string | undefined, name: string): void {
  if (given === undefined || given === name) return;
  const issues = [{ detail: `is not the name in the path, ${name}`, pointer: '/name' }];
  throw new InvalidInput('invalid_body', 'the body does not fit its schema', issues);
}
