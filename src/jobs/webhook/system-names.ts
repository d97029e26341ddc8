/**
 * What a machine says about names beside its nameservers: the hosts file, and the search list of resolv.conf. The resolver of Node's own that
 * asks nameservers directly reads neither. Pure, but for `readSystemNames`.
 *
 * Guarantees: a file that is missing, too large or malformed counts as empty: a name is then asked of the nameservers as it stands.
 */
import type { LookupAddress } from 'node:dns';
import { open } from 'node:fs/promises';
import { isIP } from 'node:net';

export interface SystemNames {
  /** By name in lower case. */
  hosts: ReadonlyMap<string, readonly LookupAddress[]>;
  /** The domains in which a short name is looked for, in order. */
  searchList: readonly string[];
}

const HOSTS_FILE = '/etc/hosts';
const RESOLVER_FILE = '/etc/resolv.conf';
const MAX_FILE_BYTES = 1_048_576;

export async function readSystemNames(): Promise<SystemNames> {
  const [hosts, resolver] = await Promise.all([readSmall(HOSTS_FILE), readSmall(RESOLVER_FILE)]);
  return { hosts: parseHosts(hosts), searchList: parseSearchList(resolver) };
}

/** A line is an address and its names; a name may have several lines. */
export function parseHosts(text: string): Map<string, LookupAddress[]> {
  const hosts = new Map<string, LookupAddress[]>();
  for (const line of text.split('\n')) {
    const [address = '', ...names] = wordsOf(line);
    const family = isIP(address);
    if (family === 0) continue;
    for (const name of names.map((each) => each.toLowerCase())) {
      const known = hosts.get(name);
      if (known === undefined) hosts.set(name, [{ address, family }]);
      else known.push({ address, family });
    }
  }
  return hosts;
}

/** The last of the lines `search` and `domain` counts, as resolv.conf(5) has it. */
export function parseSearchList(text: string): string[] {
  const lists = text
    .split('\n')
    .map(wordsOf)
    .filter(([keyword]) => keyword === 'search' || keyword === 'domain');
  const [, ...domains] = lists.at(-1) ?? [];
  return domains.map((domain) => domain.replace(/\.$/, '')).filter((domain) => domain !== '');
}

function wordsOf(line: string): string[] {
  return (line.split(/[#;]/)[0] ?? '').split(/\s+/).filter((word) => word !== '');
}

async function readSmall(path: string): Promise<string> {
  try {
    await using file = await open(path);
    const { size } = await file.stat();
    return size > MAX_FILE_BYTES ? '' : await file.readFile('utf8');
  } catch {
    return ''; // a machine without the file
  }
}
