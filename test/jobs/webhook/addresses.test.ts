import type { LookupAddress } from 'node:dns';
import { isIP } from 'node:net';
import { expect, test } from 'vitest';
import {
  assertLiteralIsPublic,
  createLookup,
  isPublicAddress,
  PrivateAddress,
} from '../../../src/jobs/webhook/addresses.ts';
import { NameResolver } from '../../../src/jobs/webhook/name-resolver.ts';

test.each([
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '10.255.255.255',
  '100.64.0.1',
  '100.127.255.255',
  '127.0.0.1',
  '127.255.255.254',
  '168.63.129.16',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.8',
  '192.0.2.1',
  '192.88.99.1',
  '192.168.0.1',
  '198.18.0.1',
  '198.19.255.255',
  '198.51.100.1',
  '203.0.113.1',
  '224.0.0.1',
  '239.255.255.255',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::7f00:1',
  '::127.0.0.1',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
  '::ffff:8.8.8.8',
  '64:ff9b::10.0.0.1',
  '64:ff9b::a9fe:a9fe',
  '64:ff9b::168.63.129.16',
  '64:ff9b:1::1',
  '100::1',
  '2001::1',
  '2001:db8::1',
  '2002:7f00:1::',
  '3fff::1',
  '5f00::1',
  'fc00::1',
  'fd12:3456::1',
  'fe80::1',
  'fe80::1%eth0',
  '2606:4700:4700::1111%eth0',
  'fec0::1',
  'ff02::1',
  'localhost',
  '',
])('%j is not a public address', (address) => {
  expect(isPublicAddress(address)).toBe(false);
});

test.each([
  '1.1.1.1',
  '8.8.8.8',
  '9.255.255.255',
  '11.0.0.0',
  '100.63.255.255',
  '100.128.0.0',
  '126.255.255.255',
  '128.0.0.1',
  '168.63.129.15',
  '168.63.129.17',
  '169.253.255.255',
  '172.15.255.255',
  '172.32.0.0',
  '192.0.1.1',
  '192.167.255.255',
  '198.17.255.255',
  '198.20.0.0',
  '223.255.255.255',
  '2606:4700:4700::1111',
  '2a00:1450:4001::1',
  '64:ff9b::8.8.8.8',
])('%j is a public address', (address) => {
  expect(isPublicAddress(address)).toBe(true);
});

test.each([
  'http://127.0.0.1/',
  'http://127.1/',
  'http://0x7f000001/',
  'http://2130706433/',
  'http://0177.0.0.1/',
  'http://127。0。0。1/',
  'http://0/',
  'https://169.254.169.254/latest/meta-data/',
  'http://[::1]/',
  'http://[::]/',
  'http://[::ffff:127.0.0.1]/',
  'http://[::ffff:7f00:1]:8080/',
  'http://[fd00::1]/',
])('%s is refused without resolving anything', (url) => {
  expect(() => assertLiteralIsPublic(new URL(url))).toThrow(PrivateAddress);
});

test.each([
  'http://8.8.8.8/',
  'http://[2606:4700:4700::1111]/',
  'http://example.com/',
  'http://127.0.0.1.example.com/',
])('%s is not refused as it stands', (url) => {
  expect(() => assertLiteralIsPublic(new URL(url))).not.toThrow();
});

test.each([true, false])(
  'a name is refused for one private address among public ones, all: %j',
  async (all) => {
    const looked = lookUp('mixed.example', { all });
    await expect(looked).rejects.toThrow(PrivateAddress);
    await expect(looked).rejects.toThrow('mixed.example resolves to 10.0.0.1');
  },
);

test('a private address is passed on where the destination may be private', async () => {
  expect(await lookUp('mixed.example', { mayBePrivate: true })).toHaveLength(2);
});

test.each([
  [
    { all: true },
    [
      { address: '8.8.8.8', family: 4 },
      { address: '2606:4700::1', family: 6 },
    ],
  ],
  [{ all: false }, '8.8.8.8'],
  [{ all: false, family: 6 }, '2606:4700::1'],
  [{ all: true, family: 'IPv6' as const }, [{ address: '2606:4700::1', family: 6 }]],
])('a public answer is passed on as the connection asked for it: %j', async (wanted, answer) => {
  expect(await lookUp('public.example', wanted)).toEqual(answer);
});

test('a name without an address of the family that is wanted fails', async () => {
  await expect(lookUp('mixed.example', { family: 6, mayBePrivate: true })).rejects.toThrow('no IPv6 address');
});

const known = new Map([
  ['mixed.example', ['8.8.8.8', '10.0.0.1']],
  ['public.example', ['8.8.8.8', '2606:4700::1']],
]);

interface Wanted {
  all?: boolean;
  family?: number | 'IPv6';
  mayBePrivate?: boolean;
}

function lookUp(
  name: string,
  { mayBePrivate = false, all = true, ...wanted }: Wanted = {},
): Promise<string | LookupAddress[]> {
  const hosts = new Map(
    [...known].map(([host, addresses]) => [
      host,
      addresses.map((address) => ({ address, family: isIP(address) })),
    ]),
  );
  const resolver = new NameResolver({ systemNames: async () => ({ hosts, searchList: [] }) });
  return new Promise((resolve, reject) => {
    createLookup({ resolver, mayBePrivate })(name, { all, ...wanted }, (error, answer) =>
      error === null ? resolve(answer) : reject(error),
    );
  });
}
