/**
 * The tokens that are good now. Only their SHA-256 is kept, and it is all that is needed.
 *
 * A lookup takes as long for a wrong token as for a right one, as far as it matters: what is compared is a digest, and nobody can choose a token
 * by the digest that it shall have.
 */
import { hash } from 'node:crypto';
import type { Identity } from './roles.ts';

export interface AccessToken extends Identity {
  /** In lower-case hex. */
  sha256: string;
}

/** The name of the token in `API_TOKEN`. */
export const API_TOKEN_NAME = 'API_TOKEN';

export class AccessTokens {
  /** No token was ever asked for: everybody may do everything. */
  readonly isOpen: boolean;
  /** Who asks where no token is asked for. */
  readonly anybody: Identity;
  readonly #apiToken: readonly AccessToken[];
  #byDigest = new Map<string, AccessToken>();
  #byName = new Map<string, AccessToken>();

  /** `actor`: the name of whoever asks where there is no token. `apiToken`: good as long as this lives, as an admin. `listed`: the others, until they are replaced; undefined where there is no list. */
  constructor({
    apiToken,
    listed,
    actor = 'anybody',
  }: {
    apiToken?: string | undefined;
    listed?: readonly AccessToken[] | undefined;
    actor?: string | undefined;
  }) {
    this.anybody = { name: actor, role: 'admin' };
    this.isOpen = apiToken === undefined && listed === undefined;
    this.#apiToken =
      apiToken === undefined ? [] : [{ name: API_TOKEN_NAME, role: 'admin', sha256: digest(apiToken) }];
    this.replace(listed ?? []);
  }

  /** From now on these are good, and `API_TOKEN`. */
  replace(listed: readonly AccessToken[]): void {
    const all = [...listed, ...this.#apiToken];
    this.#byDigest = new Map(all.map((token) => [token.sha256, token]));
    this.#byName = new Map(all.map((token) => [token.name, token]));
  }

  /** `sent`: the token's bytes; text stands for its UTF-8. */
  find(sent: string | Buffer): AccessToken | undefined {
    return this.#byDigest.get(digest(sent));
  }

  /** Of a header `authorization`, whose characters stand for bytes. */
  findBearer(authorization: string): AccessToken | undefined {
    const bearer = /^Bearer +(\S.*)$/i.exec(authorization)?.[1];
    return bearer === undefined ? undefined : this.find(Buffer.from(bearer, 'latin1'));
  }

  findNamed(name: string): AccessToken | undefined {
    return this.#byName.get(name);
  }
}

function digest(token: string | Buffer): string {
  return hash('sha256', token, 'hex');
}
