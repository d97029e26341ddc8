// Lists of tokens for tests.
import { createHash } from 'node:crypto';
import type { AccessToken } from '../../../src/api/access/access-tokens.ts';
import type { Role } from '../../../src/api/access/roles.ts';

/** Named for their role and their place: `viewer-1`. */
export function listOf(tokens: readonly (readonly [token: string, role: Role])[]): AccessToken[] {
  return tokens.map(([token, role], index) => ({ name: `${role}-${index}`, role, sha256: sha256(token) }));
}

export function sha256(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
