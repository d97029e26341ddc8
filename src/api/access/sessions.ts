/**
 * A person's sign-in as a value that the browser keeps in a cookie: whose token, until when, and a proof that this API has said so. Pure.
 *
 * Every API process that has the same tokens and the same secret knows it; nothing is stored. It ends with its time, or with the token: the
 * token's digest is part of the key of the proof. The secret is the other part, so that a list of digests, which is not secret, makes no sessions.
 * It is stretched first: whoever has signed in holds a proof, and could try passwords on it elsewhere.
 */
import { createHmac, scryptSync, timingSafeEqual } from 'node:crypto';
import type { AccessToken, AccessTokens } from './access-tokens.ts';

export const SESSION_SECONDS = 12 * 3_600;
const SECRET_BYTES = 32;

export class Sessions {
  readonly #secret: Buffer;

  constructor(secret: string) {
    this.#secret = scryptSync(secret, 'warren session', SECRET_BYTES); // some dozens of milliseconds, once
  }

  /** `now`: in milliseconds. */
  create(token: AccessToken, now: number): string {
    const claim = `${Math.floor(now / 1_000) + SESSION_SECONDS}.${Buffer.from(token.name).toString('base64url')}`;
    return `${claim}.${this.#prove(claim, token).toString('base64url')}`;
  }

  /** The token that has signed in, as it is now; undefined where the session is over or was never one. */
  find(session: string, tokens: AccessTokens, now: number): AccessToken | undefined {
    const [expires = '', name = '', proof = '', ...rest] = session.split('.');
    if (rest.length > 0 || !/^\d{1,12}$/.test(expires) || Number(expires) * 1_000 <= now) return undefined;
    const token = tokens.findNamed(Buffer.from(name, 'base64url').toString());
    if (token === undefined) return undefined;
    const expected = this.#prove(`${expires}.${name}`, token);
    const sent = Buffer.from(proof, 'base64url');
    return sent.length === expected.length && timingSafeEqual(sent, expected) ? token : undefined;
  }

  #prove(claim: string, { sha256 }: AccessToken): Buffer {
    const key = createHmac('sha256', this.#secret).update(`warren session ${sha256}`).digest();
    return createHmac('sha256', key).update(claim).digest();
  }
}
