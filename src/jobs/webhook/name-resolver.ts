/**
 * Resolves the names of webhooks: the hosts file first, then the nameservers, asked by Node's own resolver (c-ares).
 *
 * Not by `dns.lookup`: that one waits in a thread of libuv's pool, of which a process has four. A nameserver that is silent would hold all
 * four, and the process could neither resolve another name nor connect to Postgres and RabbitMQ again.
 * Guarantees: every look-up ends within `DEADLINE_MS` of its turn; so many are under way at most, the rest waits; those for one name are one, and its answer
 * (a failure too) is used again for a second. Says nothing of which addresses a webhook may go to.
 */
import type { LookupAddress } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { LimitFunction } from 'p-limit';
import pLimit from 'p-limit';
import type { SystemNames } from './system-names.ts';
import { readSystemNames } from './system-names.ts';

export interface NameResolverOptions {
  /** `address` or `address:port`. Defaults to those of the system, as where the list is empty. */
  nameservers?: readonly string[];
  /** Look-ups under way at most; the rest waits. Defaults to 256, more than a worker has slots for webhooks: dead names keep no good one waiting. */
  maxUnderWay?: number;
  /** Reads the hosts file and the search list. Defaults to those of the system. */
  systemNames?: () => Promise<SystemNames>;
}

export interface ResolveOptions {
  /** Whether a name that does not exist is looked for in the search list too, as the short names of a cluster are. */
  usesSearchList: boolean;
}

/** A name that no nameserver knows, or that none has told about in time. `code` is the resolver's, as `ENOTFOUND`. */
export class NameNotResolved extends Error {
  override readonly name = 'NameNotResolved';
  readonly code: string;

  constructor(host: string, cause: unknown) {
    const code = codeOf(cause);
    super(`the name ${host} cannot be resolved: ${code}`, { cause });
    this.code = code;
  }
}

const MAX_UNDER_WAY = 256;
/** Each nameserver is asked twice, and has so long for each answer. */
const ATTEMPT = { timeout: 2_000, maxTimeout: 2_000, tries: 2 };
/** What a look-up may take in all, whatever the number of nameservers and search domains. */
const DEADLINE_MS = 8_000;
const REMEMBERED_MS = 1_000;
const MAX_REMEMBERED = 1_024;
/** The files of the system are read again after this. */
const SYSTEM_NAMES_MS = 5_000;
/** RFC 6761: such names are this machine, whatever a nameserver says. */
const LOCALHOST = /^(.+\.)?localhost$/;
const LOOPBACK = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
];

interface Remembered {
  addresses: Promise<readonly LookupAddress[]>;
  until: number;
}

export class NameResolver {
  readonly #nameservers: readonly string[];
  readonly #readSystemNames: () => Promise<SystemNames>;
  readonly #limit: LimitFunction;
  readonly #remembered = new Map<string, Remembered>();
  #systemNames: Promise<SystemNames> | undefined;
  #systemNamesUntil = 0;

  constructor({
    nameservers = [],
    maxUnderWay = MAX_UNDER_WAY,
    systemNames = readSystemNames,
  }: NameResolverOptions = {}) {
    this.#nameservers = nameservers;
    this.#limit = pLimit(maxUnderWay);
    this.#readSystemNames = systemNames;
  }

  /** At least one address, IPv4 before IPv6. Throws `NameNotResolved`. */
  resolve(host: string, { usesSearchList }: ResolveOptions): Promise<readonly LookupAddress[]> {
    const key = `${usesSearchList ? 'search' : 'plain'} ${host}`;
    const known = this.#remembered.get(key);
    if (known !== undefined && performance.now() < known.until) return known.addresses;
    const addresses = this.#resolve(host.toLowerCase(), usesSearchList);
    const entry = { addresses, until: Number.POSITIVE_INFINITY };
    const settled = () => {
      entry.until = performance.now() + REMEMBERED_MS;
    };
    addresses.then(settled, settled);
    this.#remembered.delete(key); // so that it becomes the youngest
    this.#remembered.set(key, entry);
    if (this.#remembered.size > MAX_REMEMBERED) this.#forgetOldest();
    return addresses;
  }

  #forgetOldest(): void {
    const [oldest] = this.#remembered.keys();
    if (oldest !== undefined) this.#remembered.delete(oldest);
  }

  async #resolve(host: string, usesSearchList: boolean): Promise<readonly LookupAddress[]> {
    const family = isIP(host);
    if (family !== 0) return [{ address: host, family }];
    const plain = host.replace(/\.$/, '');
    if (LOCALHOST.test(plain)) return LOOPBACK;
    const { hosts, searchList } = await this.#currentSystemNames();
    const listed = hosts.get(plain);
    if (listed !== undefined) return listed;
    const isAbsolute = host.endsWith('.');
    const suffixes = usesSearchList && !isAbsolute ? searchList.map((domain) => `.${domain}`) : [];
    return await this.#limit(() =>
      this.#askInTurn(
        host,
        ['', ...suffixes].map((suffix) => `${host}${suffix}`),
      ),
    );
  }

  /** The first of the names that exists. */
  async #askInTurn(host: string, names: readonly string[]): Promise<LookupAddress[]> {
    const resolver = new Resolver(ATTEMPT); // one for each look-up, so that its deadline cancels nothing else
    if (this.#nameservers.length > 0) resolver.setServers(this.#nameservers);
    let isOver = false;
    const deadline = setTimeout(() => {
      isOver = true;
      resolver.cancel();
    }, DEADLINE_MS);
    let failure: unknown;
    try {
      for (const name of names) {
        if (isOver) break;
        const answer = await ask(resolver, name);
        if (Array.isArray(answer)) return answer;
        failure ??= answer.failure;
        if (!answer.isMissing) break;
      }
      throw new NameNotResolved(host, failure);
    } finally {
      clearTimeout(deadline);
    }
  }

  #currentSystemNames(): Promise<SystemNames> {
    if (this.#systemNames === undefined || performance.now() >= this.#systemNamesUntil) {
      this.#systemNames = this.#readSystemNames();
      this.#systemNamesUntil = performance.now() + SYSTEM_NAMES_MS;
    }
    return this.#systemNames;
  }
}

/** Both families of addresses. `isMissing`: the nameserver has answered that there is no such name, or none with an address. */
async function ask(
  resolver: Resolver,
  name: string,
): Promise<LookupAddress[] | { failure: unknown; isMissing: boolean }> {
  const [ipv4, ipv6] = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
  const addresses = [ipv4, ipv6].flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  if (addresses.length > 0) return addresses.map((address) => ({ address, family: isIP(address) }));
  const failures = [ipv4, ipv6].flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []));
  const worse = failures.find((failure) => !isMissing(failure));
  return { failure: worse ?? failures[0], isMissing: worse === undefined };
}

function isMissing(error: unknown): boolean {
  return ['ENOTFOUND', 'ENODATA'].includes(codeOf(error));
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'EFAIL';
}
