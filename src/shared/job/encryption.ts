/**
 * The arguments and outputs of job types that are `encrypted`, as Postgres has them: `{ "$encrypted": "<key>.<base64 of nonce, tag and text>" }`, by AES-256-GCM.
 *
 * Guarantees: the first key of the ring encrypts, all decrypt; a text is bound to its job type and to being arguments or output, and opens nowhere else;
 * without a ring nothing is written in the clear: it throws. What was written before its type was encrypted is left as it is. Pure, save for the nonces.
 */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { Misconfigured } from '../base/errors.ts';

const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const MEMBER = '$encrypted';
const KEY_ID = /^[A-Za-z0-9_-]{1,40}$/;

/** What a text is bound to. */
export interface Place {
  type: string;
  part: 'args' | 'output';
}

/** The ring has no key of this name: another process may have it. */
export class KeyMissing extends Error {
  override readonly name = 'KeyMissing';

  constructor(keyId: string, { part }: Place) {
    super(`the ${part} are encrypted with the key "${keyId}", which is not among ENCRYPTION_KEYS`);
  }
}

/** `id:base64` of 32 bytes each, separated by commas. Throws `RangeError` with what is wrong, never with a key. */
export function parseKeyRing(text: string): ReadonlyMap<string, Buffer> {
  const ring = new Map<string, Buffer>();
  for (const entry of text.split(',').map((part) => part.trim())) {
    const at = entry.indexOf(':');
    const id = entry.slice(0, at);
    const key = Buffer.from(entry.slice(at + 1), 'base64');
    if (at < 0 || !KEY_ID.test(id))
      throw new RangeError('must list id:base64, each id of [A-Za-z0-9_-]{1,40}');
    if (key.length !== KEY_BYTES)
      throw new RangeError(`the key "${id}" must be ${KEY_BYTES} bytes in base64`);
    if (ring.has(id)) throw new RangeError(`the key "${id}" stands twice`);
    ring.set(id, key);
  }
  return ring;
}

export interface KeylessEncryption {
  /** Throws `Misconfigured` where there are no keys. */
  currentKeyId(): string;
  /** JSON text of the value, encrypted with the current key. Throws where it cannot be opened. */
  renew(value: unknown, place: Place): string;
}

export class Encryption {
  /** As `parseKeyRing` reads it; undefined where there are no keys. For a process that is started for a job. */
  readonly keys: string | undefined;
  readonly #ring: ReadonlyMap<string, Buffer>;
  readonly #first: { id: string; key: Buffer } | undefined;

  constructor(keys: string | undefined) {
    this.keys = keys;
    this.#ring = keys === undefined ? new Map() : parseKeyRing(keys);
    const [first] = this.#ring;
    this.#first = first === undefined ? undefined : { id: first[0], key: first[1] };
  }

  /** The name of the key that encrypts. Throws `Misconfigured` where there is none. */
  get currentKeyId(): string {
    if (this.#first === undefined) throw new Misconfigured('there are no ENCRYPTION_KEYS');
    return this.#first.id;
  }

  /** JSON text of the encrypted value. `sameAgain`: the same text each time, which tells whoever reads both that they are equal. */
  seal(json: string, place: Place, { sameAgain = false } = {}): string {
    if (this.#first === undefined)
      throw new Misconfigured(`job type "${place.type}" is encrypted, and there are no ENCRYPTION_KEYS`);
    const { id, key } = this.#first;
    const bound = toBound(place);
    const nonce = sameAgain
      ? createHmac('sha256', key).update(`${bound}\n${json}`).digest().subarray(0, NONCE_BYTES)
      : randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, key, nonce).setAAD(Buffer.from(bound));
    const text = Buffer.concat([cipher.update(json, 'utf8'), cipher.final()]);
    const sealed = Buffer.concat([nonce, cipher.getAuthTag(), text]).toString('base64');
    return JSON.stringify({ [MEMBER]: `${id}.${sealed}` });
  }

  /** The value in the clear; one that is not encrypted as it is. Throws `KeyMissing`, or an error where the text is not what was sealed at this place. */
  open(value: unknown, place: Place): unknown {
    const sealed = readSealed(value);
    if (sealed === undefined) return value;
    const key = this.#ring.get(sealed.keyId);
    if (key === undefined) throw new KeyMissing(sealed.keyId, place);
    const bytes = Buffer.from(sealed.text, 'base64');
    try {
      const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      })
        .setAAD(Buffer.from(toBound(place)))
        .setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
      const text = Buffer.concat([
        decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)),
        decipher.final(),
      ]);
      return JSON.parse(text.toString('utf8'));
    } catch {
      throw new Error(
        `the ${place.part} cannot be decrypted: they were changed, or come from another job type`,
      );
    }
  }

  /** What can be done with the keys, without them: for a context, which somebody may log. */
  withoutKeys(): KeylessEncryption {
    return {
      currentKeyId: () => this.currentKeyId,
      renew: (value, place) => this.renew(value, place),
    };
  }

  /** With the first key, or as it is where it is so already, or null. */
  renew(value: unknown, place: Place): string {
    const isCurrent = value === null || readSealed(value)?.keyId === this.#first?.id;
    return isCurrent ? JSON.stringify(value) : this.seal(JSON.stringify(this.open(value, place)), place);
  }
}

/** Of a process without keys. */
export const noEncryption = new Encryption(undefined);

function toBound({ type, part }: Place): string {
  return `warren ${part} ${type}`;
}

function readSealed(value: unknown): { keyId: string; text: string } | undefined {
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 1) return undefined;
  const text = (value as Record<string, unknown>)[MEMBER];
  if (typeof text !== 'string') return undefined;
  const at = text.indexOf('.');
  return { keyId: text.slice(0, at), text: text.slice(at + 1) };
}
