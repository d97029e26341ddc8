import { expect, test } from 'vitest';
import { parseHosts, parseSearchList, readSystemNames } from '../../../src/jobs/webhook/system-names.ts';

test('a hosts file gives every name its addresses, in order', () => {
  const hosts = parseHosts(
    '127.0.0.1\tlocalhost # loopback\n\n# 10.0.0.9 commented\n10.0.0.7 Receiver receiver.example\r\nfd00::7 receiver\nno-address name\n',
  );
  expect([...hosts]).toEqual([
    ['localhost', [{ address: '127.0.0.1', family: 4 }]],
    [
      'receiver',
      [
        { address: '10.0.0.7', family: 4 },
        { address: 'fd00::7', family: 6 },
      ],
    ],
    ['receiver.example', [{ address: '10.0.0.7', family: 4 }]],
  ]);
});

test.each([
  ['nameserver 10.0.0.2\noptions ndots:5\n', []],
  [
    'search shop.svc.cluster.local svc.cluster.local cluster.local\n',
    ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local'],
  ],
  ['domain old.example\nsearch new.example. ; comment\n', ['new.example']],
  ['search .\n', []],
])('the search list of %j', (text, domains) => {
  expect(parseSearchList(text)).toEqual(domains);
});

test('the files of this machine can be read', async () => {
  const { hosts, searchList } = await readSystemNames();
  expect(hosts).toBeInstanceOf(Map);
  expect(searchList).toBeInstanceOf(Array);
});
