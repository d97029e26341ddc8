import { expect, test } from 'vitest';
import { parseRequestId, parseTrace, parseTraceparent } from '../../../src/shared/job/trace.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const parentId = 'b7ad6b7169203331';
const sampled = `00-${traceId}-${parentId}-01`;

test.each([
  ['sampled', sampled, sampled],
  ['not sampled', `00-${traceId}-${parentId}-00`, `00-${traceId}-${parentId}-00`],
  ['with flags that are not known yet', `00-${traceId}-${parentId}-ff`, `00-${traceId}-${parentId}-ff`],
  ['of a later version', `01-${traceId}-${parentId}-03`, sampled],
  [
    'of a later version with more in it',
    `cc-${traceId}-${parentId}-02-what-comes`,
    `00-${traceId}-${parentId}-00`,
  ],
])('a traceparent %s is taken', (_what, sent, taken) => {
  expect(parseTraceparent(sent)).toBe(taken);
});

test.each([
  ['nothing', undefined],
  ['an empty text', ''],
  ['version ff', `ff-${traceId}-${parentId}-01`],
  ['more than version 00 has', `${sampled}-more`],
  ['more without a dash', `01-${traceId}-${parentId}-01more`],
  ['no trace id', `00-${'0'.repeat(32)}-${parentId}-01`],
  ['no parent id', `00-${traceId}-${'0'.repeat(16)}-01`],
  ['capitals', sampled.toUpperCase()],
  ['a short trace id', `00-${traceId.slice(1)}-${parentId}-01`],
  ['two headers in one', `${sampled}, ${sampled}`],
  ['a line feed at its end', `${sampled}\n`],
  ['a very long one', `01-${traceId}-${parentId}-01-${'x'.repeat(300)}`],
])('of a traceparent, %s is ignored', (_what, sent) => {
  expect(parseTraceparent(sent)).toBeUndefined();
});

test('a request id is 1 to 128 printable ASCII characters', () => {
  expect(parseRequestId('a b~')).toBe('a b~');
  expect(parseRequestId('x'.repeat(128))).toHaveLength(128);
  for (const wrong of [undefined, '', 'x'.repeat(129), 'é', 'a\tb', 'a\n'])
    expect(parseRequestId(wrong)).toBeUndefined();
});

test('a trace is what is well-formed of it, or nothing', () => {
  expect(parseTrace({})).toBeUndefined();
  expect(parseTrace({ traceparent: 'no', requestId: 'é' })).toBeUndefined();
  expect(parseTrace({ traceparent: 'no', requestId: 'r-1' })).toEqual({ requestId: 'r-1' });
  expect(parseTrace({ traceparent: sampled })).toEqual({ traceparent: sampled });
});

test('what vendors have added to a trace is kept with it alone, as a whole, and up to 512 characters', () => {
  const longest = `vendor=${'v'.repeat(505)}`;
  expect(parseTrace({ traceparent: sampled, tracestate: longest })).toEqual({
    traceparent: sampled,
    tracestate: longest,
  });
  for (const tracestate of ['', `${longest}v`, 'vendor=é', 'vendor=\n'])
    expect(parseTrace({ traceparent: sampled, tracestate })).toEqual({ traceparent: sampled });
  expect(parseTrace({ tracestate: longest })).toBeUndefined();
});
