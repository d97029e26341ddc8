import type { LookupAddress } from 'node:dns';
import { afterEach, expect, test, vi } from 'vitest';
import type { NameResolverOptions } from '../../../src/jobs/webhook/name-resolver.ts';
import { NameNotResolved, NameResolver } from '../../../src/jobs/webhook/name-resolver.ts';
import type { Nameserver } from '../../support/nameserver.ts';
import { startNameserver } from '../../support/nameserver.ts';

// The names of webhooks never take a thread of the pool.
vi.mock('node:dns', async (original) => ({
  ...(await original<typeof import('node:dns')>()),
  lookup: () => {
    throw new Error('dns.lookup was called');
  },
}));

afterEach(() => {
  vi.useRealTimers();
});

const plain = { usesSearchList: false };
const ipv4 = (address: string): LookupAddress => ({ address, family: 4 });

function resolverAt(nameserver: Nameserver, options: NameResolverOptions = {}): NameResolver {
  const systemNames = async () => ({ hosts: new Map(), searchList: [] });
  return new NameResolver({ nameservers: [nameserver.address], systemNames, ...options });
}

test('a name has the addresses of both families, IPv4 first', async () => {
  await using nameserver = await startNameserver({
    names: { 'both.example': ['2606:4700::1111', '1.1.1.1', '1.0.0.1'] },
  });
  const found = await resolverAt(nameserver).resolve('Both.example', plain);
  expect(found.map(({ address, family }) => [address, family])).toEqual([
    ['1.1.1.1', 4],
    ['1.0.0.1', 4],
    ['2606:4700::1111', 6],
  ]);
});

test('one family suffices', async () => {
  await using nameserver = await startNameserver({ names: { 'six.example': ['2606:4700::1'] } });
  expect(await resolverAt(nameserver).resolve('six.example', plain)).toEqual([
    { address: '2606:4700::1', family: 6 },
  ]);
});

test.each([
  ['1.1.1.1', ['1.1.1.1']],
  ['2606:4700::1111', ['2606:4700::1111']],
  ['localhost', ['127.0.0.1', '::1']],
  ['receiver.localhost.', ['127.0.0.1', '::1']],
  ['listed.example', ['192.0.2.7', '192.0.2.8']],
])('nobody is asked for %s', async (name, addresses) => {
  await using nameserver = await startNameserver();
  const hosts = new Map([['listed.example', [ipv4('192.0.2.7'), ipv4('192.0.2.8')]]]);
  const resolver = resolverAt(nameserver, { systemNames: async () => ({ hosts, searchList: [] }) });
  expect((await resolver.resolve(name, plain)).map(({ address }) => address)).toEqual(addresses);
  expect(nameserver.questions).toEqual([]);
});

test('a name that does not exist is an error that names it, with the code of the resolver', async () => {
  await using nameserver = await startNameserver();
  const error = await resolverAt(nameserver)
    .resolve('nowhere.example', plain)
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(NameNotResolved);
  expect(error).toMatchObject({
    code: 'ENOTFOUND',
    message: 'the name nowhere.example cannot be resolved: ENOTFOUND',
  });
});

test.each([
  ['known.example', undefined],
  ['unknown.example', 'ENOTFOUND'],
])('sixty look-ups of %s are one, and so is the next one', async (name, code) => {
  await using nameserver = await startNameserver({ names: { 'known.example': ['1.1.1.1'] } });
  vi.useFakeTimers({ toFake: ['performance'] }); // the second for which an answer is remembered does not end
  const resolver = resolverAt(nameserver);
  const codes = await Promise.all(
    Array.from({ length: 60 }, () =>
      resolver.resolve(name, plain).then(
        () => undefined,
        (error: NameNotResolved) => error.code,
      ),
    ),
  );
  expect(new Set(codes)).toEqual(new Set([code]));
  await resolver.resolve(name, plain).catch(() => {});
  expect([...nameserver.questions].sort()).toEqual([`A ${name}`, `AAAA ${name}`]);
});

test('a silent nameserver is given up, and keeps no other name waiting', async () => {
  await using nameserver = await startNameserver({
    names: { 'good.example': ['1.1.1.1'] },
    isSilent: (name) => name.startsWith('dead'),
  });
  const resolver = resolverAt(nameserver);
  let isGivenUp = false;
  const dead = Promise.all(
    Array.from({ length: 60 }, (_, n) =>
      resolver.resolve(`dead-${n}.example`, plain).catch((error: NameNotResolved) => error.code),
    ),
  ).finally(() => {
    isGivenUp = true;
  });
  await nameserver.asked(60);
  expect(await resolver.resolve('good.example', plain)).toEqual([ipv4('1.1.1.1')]);
  expect(isGivenUp).toBe(false);
  expect(new Set(await dead)).toEqual(new Set(['ETIMEOUT']));
}, 60_000);

test('so many names are looked up at once, and the rest in their turn', async () => {
  await using nameserver = await startNameserver({ isSilent: (name) => name.startsWith('dead') });
  const resolver = resolverAt(nameserver, { maxUnderWay: 10 });
  const dead = Array.from({ length: 10 }, (_, n) =>
    resolver.resolve(`dead-${n}.example`, plain).catch(() => {}),
  );
  const late = resolver.resolve('late.example', plain).catch((error: NameNotResolved) => error.code);
  await nameserver.asked(10);
  expect(nameserver.questions).not.toContain('A late.example');
  expect(await late).toBe('ENOTFOUND');
  await Promise.all(dead);
}, 60_000);

test('a short name is looked for in the search list where that is wanted, and not else', async () => {
  await using nameserver = await startNameserver({ names: { 'receiver.svc.cluster': ['10.0.0.7'] } });
  const searchList = ['shop.svc.cluster', 'svc.cluster'];
  const resolver = resolverAt(nameserver, { systemNames: async () => ({ hosts: new Map(), searchList }) });
  expect(await resolver.resolve('receiver', { usesSearchList: true })).toEqual([ipv4('10.0.0.7')]);
  await expect(resolver.resolve('receiver', plain)).rejects.toThrow('ENOTFOUND');
  await expect(resolver.resolve('receiver.', { usesSearchList: true })).rejects.toThrow('ENOTFOUND');
});

test('a nameserver that fails ends the search: the name may exist as it stands', async () => {
  await using nameserver = await startNameserver({
    names: { 'receiver.svc.cluster': ['10.0.0.7'] },
    isBroken: (name) => name === 'receiver',
  });
  const searchList = ['svc.cluster'];
  const resolver = resolverAt(nameserver, { systemNames: async () => ({ hosts: new Map(), searchList }) });
  await expect(resolver.resolve('receiver', { usesSearchList: true })).rejects.toThrow('ESERVFAIL');
});
