/**
 * Which addresses a webhook may go to: the public internet only, unless the settings allow more.
 *
 * Guarantees: what is checked is what is connected to. The name is resolved inside of the connection's own `lookup`, so that no second,
 * different answer (DNS rebinding) can come in between; one private address among several refuses the name.
 * Sources: the IANA registries of special-purpose IPv4 and IPv6 addresses, and what clouds serve to their own machines at public addresses.
 */
import type { LookupFunction } from 'node:net';
import { BlockList, isIP, isIPv4 } from 'node:net';
import type { NameResolver } from './name-resolver.ts';

/** The address is not one that a webhook may go to, now or later. */
export class PrivateAddress extends Error {
  override readonly name = 'PrivateAddress';

  constructor(host: string, address: string) {
    super(
      host === address
        ? `${host} is not a public address`
        : `${host} resolves to ${address}, which is not a public address`,
    );
  }
}

const specialIpv4: readonly [network: string, prefix: number][] = [
  ['0.0.0.0', 8], // this network
  ['10.0.0.0', 8], // private
  ['100.64.0.0', 10], // shared by carriers
  ['127.0.0.0', 8], // loopback
  ['168.63.129.16', 32], // the platform of Azure, which answers inside of its machines only
  ['169.254.0.0', 16], // link-local: the metadata services of clouds
  ['172.16.0.0', 12], // private
  ['192.0.0.0', 24], // protocol assignments
  ['192.0.2.0', 24], // documentation
  ['192.88.99.0', 24], // 6to4 relays, withdrawn
  ['192.168.0.0', 16], // private
  ['198.18.0.0', 15], // benchmarks
  ['198.51.100.0', 24], // documentation
  ['203.0.113.0', 24], // documentation
  ['224.0.0.0', 4], // multicast
  ['240.0.0.0', 4], // reserved, broadcast
];

/** Inside of 2000::/3, the only part of IPv6 from which public addresses are given out. */
const specialIpv6: readonly [network: string, prefix: number][] = [
  ['2001::', 23], // protocol assignments: Teredo, ORCHID
  ['2001:db8::', 32], // documentation
  ['2002::', 16], // 6to4: carries an IPv4 address
  ['3fff::', 20], // documentation
];

const special = new BlockList();
const globalUnicast = new BlockList();
const ipv4Translation = new BlockList();

globalUnicast.addSubnet('2000::', 3, 'ipv6');
ipv4Translation.addSubnet('64:ff9b::', 96, 'ipv6'); // NAT64: the last 32 bits are the IPv4 address
for (const [network, prefix] of specialIpv6) special.addSubnet(network, prefix, 'ipv6');
for (const [network, prefix] of specialIpv4) {
  special.addSubnet(network, prefix, 'ipv4');
  special.addSubnet(`64:ff9b::${network}`, 96 + prefix, 'ipv6');
}

/** Whether this is an address of the public internet. `address` is IPv4 or IPv6 as Node writes it, without brackets; anything else is not. */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !special.check(address, 'ipv4');
  if (isIP(address) !== 6 || address.includes('%')) return false; // a zone makes it link-local
  if (!globalUnicast.check(address, 'ipv6') && !ipv4Translation.check(address, 'ipv6')) return false;
  return !special.check(address, 'ipv6');
}

/** Throws `PrivateAddress` where the URL's host is an address and not a public one: the connection would not ask its `lookup` for it. */
export function assertLiteralIsPublic({ hostname }: URL): void {
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  if (isIP(host) !== 0 && !isPublicAddress(host)) throw new PrivateAddress(host, host);
}

export interface LookupOptions {
  resolver: NameResolver;
  /** Lets every address through. */
  mayBePrivate: boolean;
}

/** For the `lookup` option of a connection. Fails with `PrivateAddress` where an address is not public and may not be private. */
export function createLookup({ resolver, mayBePrivate }: LookupOptions): LookupFunction {
  const find = async (host: string, wanted: number | undefined) => {
    const found = await resolver.resolve(host, { usesSearchList: mayBePrivate });
    const refused = mayBePrivate ? undefined : found.find(({ address }) => !isPublicAddress(address));
    if (refused !== undefined) throw new PrivateAddress(host, refused.address);
    const addresses = found.filter(({ family }) => wanted === undefined || wanted === family);
    const [first] = addresses;
    if (first === undefined) throw new Error(`the name ${host} has no IPv${wanted} address`);
    return { addresses, first };
  };
  return (host, { all = false, family }, callback) => {
    find(host, toFamily(family)).then(
      ({ addresses, first }) => {
        if (all) callback(null, addresses);
        else callback(null, first.address, first.family);
      },
      (error: Error) => callback(error, []),
    );
  };
}

/** What a connection asks for; undefined: any. */
function toFamily(family: number | 'IPv4' | 'IPv6' | undefined): number | undefined {
  if (family === undefined || family === 0) return undefined;
  return typeof family === 'number' ? family : Number(family.slice('IPv'.length));
}
