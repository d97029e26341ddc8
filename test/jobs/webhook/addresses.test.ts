import type { LookupAddress, LookupAllOptions } from 'node:dns';
import { expect, test, vi } from 'vitest';
import {
  assertLiteralIsPublic,
  isPublicAddress,
  lookupPublic,
  PrivateAddress,
} from '../../../src/jobs/webhook/addresses.ts';

type AllAddresses = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;

vi.mock('node:dns', async (original) => {
  const dns = await original<typeof import('node:dns')>();
  const answers = [
    { address: '8.8.8.8', family: 4 },
    { address: '10.0.0.1', family: 4 },
  ];
  const lookup = (name: string, options: LookupAllOptions, callback: AllAddresses) =>
    name === 'mixed.invalid' ? callback(null, answers) : dns.lookup(name, options, callback);
  return { ...dns, lookup };
});

test.each([
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '10.255.255.255',
  '100.64.0.1',
  '100.127.255.255',
  '127.0.0.1',
  '127.255.255.254',
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
  '64:ff9b:1::1',
  '100::1',
  '2001::1',
  '2001:db8::1',
  '2002:7f00:1::',
  '3fff::1',
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
  'a name that resolves to loopback is refused, with all addresses asked for: %j',
  async (all) => {
    await expect(resolveName('localhost', all)).rejects.toThrow(PrivateAddress);
  },
);

test('a name is refused for one private address among public ones', async () => {
  await expect(resolveName('mixed.invalid', true)).rejects.toThrow('mixed.invalid resolves to 10.0.0.1');
});

test.each([
  [true, [{ address: '8.8.8.8', family: 4 }]],
  [false, '8.8.8.8'],
])('a public answer is passed on as the connection asked for it, all: %j', async (all, answer) => {
  expect(await resolveName('8.8.8.8', all)).toEqual(answer); // an address resolves to itself, without a server
});

function resolveName(name: string, all: boolean): Promise<string | LookupAddress[]> {
  return new Promise((resolve, reject) => {
    lookupPublic(name, { all }, (error, answer) => (error === null ? resolve(answer) : reject(error)));
  });
}
