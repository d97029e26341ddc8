import { expect, test } from 'vitest';
import { parseBaggage, readBaggage, writeBaggage } from '../../../src/shared/job/baggage.ts';

const longest = `k=${'v'.repeat(8_190)}`;
const most = Array.from({ length: 64 }, (_, n) => `k${n}=v`).join(',');

test.each([
  ['one entry', 'tenant=acme'],
  ['several, with spaces', 'tenant = acme , plan=gold\t'],
  ['an empty value', 'tenant='],
  ['properties', 'tenant=acme;ttl=30;secret, plan=gold'],
  ['a value with percent signs and equals signs', 'who=J%C3%BCrgen,query=a=b'],
  ['as many characters as there may be', longest],
  ['as many entries as there may be', most],
])('a header with %s is taken as it is', (_what, header) => {
  expect(parseBaggage(header)).toBe(header);
});

test.each([
  ['nothing', undefined],
  ['an empty text', ''],
  ['no value', 'tenant'],
  ['no key', '=acme'],
  ['an empty entry', 'tenant=acme,'],
  ['a percent sign that stands for nothing', 'tenant=100%'],
  ['bytes that are no UTF-8', 'tenant=%ff'],
  ['a space within a value', 'tenant=acme corp'],
  ['a character that is not ASCII', 'tenant=acmé'],
  ['a line feed', 'tenant=acme\n'],
  ['a character too many', `${longest}v`],
  ['an entry too many', `${most},k=v`],
])('of a header, %s is ignored as a whole', (_what, header) => {
  expect(parseBaggage(header)).toBeUndefined();
});

test('entries are decoded, and written as they were read', () => {
  const header = 'who=J%C3%BCrgen%2C%20%22me%22;ttl=30;secret,plan=gold';
  const items = readBaggage(header) ?? new Map();
  expect([...items]).toEqual([
    ['who', { value: 'Jürgen, "me"', properties: 'ttl=30;secret' }],
    ['plan', { value: 'gold', properties: undefined }],
  ]);
  expect(writeBaggage(items)).toBe(header);
  expect(writeBaggage([['k', { value: 'ü'.repeat(2_000), properties: undefined }]])).toBeUndefined();
  expect(writeBaggage([])).toBeUndefined();
});

test('a header that could be read in many ways is refused at once', () => {
  for (const text of [' '.repeat(8_000), `k=v${' ;'.repeat(4_000)}`, `k=v${';a=\t'.repeat(2_000)}"`])
    expect(parseBaggage(text)).toBeUndefined();
});
