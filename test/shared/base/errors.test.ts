import { describe, expect, test } from 'vitest';
import * as own from '../../../src/shared/base/errors.ts';

const { Conflict, errorMessage, InvalidInput, Misconfigured, NotFound, Unavailable, Unrecoverable } = own;

const circular: Record<string, unknown> = {};
circular['self'] = circular;

const hostile = {
  get message(): string {
    throw new Error('a getter');
  },
};

test.each([
  ['an error', new TypeError('no such thing'), 'TypeError: no such thing'],
  ['a string', 'plain', 'plain'],
  ['undefined', undefined, 'undefined'],
  ['null', null, 'null'],
  ['a number', 7, '7'],
  ['an object', { code: 'E', deep: [1] }, '{"code":"E","deep":[1]}'],
  ['a symbol', Symbol('s'), 'Symbol(s)'],
  ['a circular object', circular, 'a value that cannot be described was thrown'],
  ['a bigint', 7n, 'a value that cannot be described was thrown'],
  ['a NUL, which Postgres refuses', 'a\u0000b', 'a\ufffdb'],
  ['a lone surrogate, which jsonb refuses', 'a\ud800b', 'a\ufffdb'],
])('the message of %s can be read and stored', (_, thrown, message) => {
  expect(errorMessage(thrown)).toBe(message);
});

test('an error whose message cannot be read is described all the same', () => {
  expect(errorMessage(Object.create(Error.prototype, Object.getOwnPropertyDescriptors(hostile)))).toBe(
    'a value that cannot be described was thrown',
  );
  expect(
    errorMessage(
      new Proxy(new Error('x'), {
        get: () => {
          throw new Error('trap');
        },
      }),
    ),
  ).toBe('a value that cannot be described was thrown');
});

test('a huge message is cut, and the cut is marked with the size it had', () => {
  const message = errorMessage(new Error('x'.repeat(5_000_000)));
  expect(message.length).toBeLessThan(4_100);
  expect(message).toMatch(/^Error: x{3993} … \[cut, 5000007 characters\]$/);
});

test('a cut through a surrogate pair leaves a well-formed text', () => {
  const message = errorMessage(`${'x'.repeat(9)}😀 and more`, 10);
  expect(message.isWellFormed()).toBe(true);
  expect(message).toBe('xxxxxxxxx\ufffd … [cut, 20 characters]');
});

describe('an error of another copy of the package', async () => {
  const place = '../../../src/shared/base/errors.ts?another-copy';
  const other = (await import(/* @vite-ignore */ place)) as typeof own;
  class Renamed extends other.Unrecoverable {
    override readonly name = 'Renamed';
  }
  const others: [string, Error][] = [
    ['InvalidInput', new other.InvalidInput('wrong', 'it is wrong')],
    ['Conflict', new other.Conflict('busy', 'it is busy')],
    ['NotFound', new other.NotFound('there is none')],
    ['Unavailable', new other.Unavailable('away', 'it is away')],
    ['Misconfigured', new other.Misconfigured('mend it')],
    ['Unrecoverable', new other.Unrecoverable('no')],
    ['Unrecoverable', new Renamed('no')],
  ];
  const classes = { InvalidInput, Conflict, NotFound, Unavailable, Misconfigured, Unrecoverable };

  test.each(others)('is known as %s, and as nothing else', (name, error) => {
    expect(other.Unavailable).not.toBe(Unavailable);
    const known = Object.entries(classes).flatMap(([of, type]) => (error instanceof type ? [of] : []));
    expect(known).toEqual([name]);
  });

  test('is not known as a subclass, nor by its name alone', () => {
    class Busy extends Unavailable {}
    const named = Object.assign(new Error('away'), { name: 'Unavailable' });
    expect(new other.Unavailable('away', 'it is away')).not.toBeInstanceOf(Busy);
    expect(new Busy('away', 'it is away')).toBeInstanceOf(Unavailable);
    expect(named).not.toBeInstanceOf(Unavailable);
    expect({ name: 'Unavailable' }).not.toBeInstanceOf(Unavailable);
  });
});
