import { describe, expect, test } from 'vitest';
import type { ErrorOrigin } from '../../../src/shared/base/error-origin.ts';
import { errorOrigin } from '../../../src/shared/base/error-origin.ts';

const bytesOf = (origin: ErrorOrigin | undefined) => {
  const { stack = '', causes = [] } = origin ?? {};
  return Buffer.byteLength(
    [stack, ...causes.flatMap((cause) => [cause.message, cause.stack ?? ''])].join(''),
  );
};

test('an error has the frames of its stack, which name this file, without its message', () => {
  const { stack, causes } = errorOrigin(new TypeError('broken\nin two lines')) ?? {};
  expect(stack).toMatch(/^ +at .*error-origin\.test\.ts:\d+:\d+/);
  expect(stack).not.toContain('broken');
  expect(causes).toBeUndefined();
});

test('causes come nearest first, each with its own stack, whatever they are', () => {
  const root = new RangeError('the root');
  const error = new Error('outside', { cause: new Error('between', { cause: root }) });
  root.cause = { code: 7 };
  expect(errorOrigin(error)?.causes).toEqual([
    { message: 'Error: between', stack: expect.stringMatching(/^ +at /) },
    { message: 'RangeError: the root', stack: expect.stringMatching(/^ +at /) },
    { message: '{"code":7}' },
  ]);
});

test('the errors of an AggregateError are causes', () => {
  const error = new AggregateError([new Error('first'), 'second'], 'both failed', {
    cause: new Error('before'),
  });
  expect(errorOrigin(error)?.causes?.map(({ message }) => message)).toEqual([
    'Error: before',
    'Error: first',
    'second',
  ]);
});

describe('is bounded:', () => {
  test('a circle of causes ends', () => {
    const first = new Error('first');
    const second = new Error('second', { cause: first });
    first.cause = second;
    expect(errorOrigin(first)?.causes?.map(({ message }) => message)).toEqual(['Error: second']);
  });

  test('eight causes are told', () => {
    let error = new Error('0');
    error.stack = 'none';
    for (let depth = 1; depth < 100; depth += 1) {
      error = new Error(String(depth), { cause: error });
      error.stack = 'none';
    }
    expect(errorOrigin(error)?.causes).toHaveLength(8);
  });

  test.each(['x', 'é', '🐇'])(
    'all texts together have at most 4 KiB of UTF-8, and a cut is marked: %s',
    (character) => {
      const long = (text: string) => {
        const error = new Error(text.repeat(10_000));
        error.stack = `Error\n    at ${text.repeat(1_000_000)}`;
        return error;
      };
      const error = long(character);
      error.cause = new AggregateError(Array.from({ length: 100 }, () => long(character)));
      const origin = errorOrigin(error);
      expect(bytesOf(origin)).toBeGreaterThan(3_500);
      expect(bytesOf(origin)).toBeLessThanOrEqual(4_096);
      expect(origin?.stack).toMatch(/… \[cut\]$/);
      expect(JSON.stringify(origin).isWellFormed()).toBe(true);
    },
  );
});

test('control characters are replaced, in stacks and in messages', () => {
  const error = new Error('outside', { cause: new Error('\u0000\u001b[31m\ud800') });
  error.stack = 'Error\n    at \u0000\u001b[31m\ud800 here';
  expect(errorOrigin(error)).toMatchObject({
    stack: '    at \ufffd\ufffd[31m\ufffd here',
    causes: [{ message: 'Error: \ufffd\ufffd[31m\ufffd' }],
  });
});

test.each<[string, unknown]>([
  ['a string', 'broken'],
  ['nothing', undefined],
  ['an object', { stack: '    at here' }],
  ['an error without frames', Object.assign(new Error('bare'), { stack: 'Error: bare' })],
  ['an error whose stack is no text', Object.assign(new Error('bare'), { stack: 7 })],
])('nothing is known of %s', (_, thrown) => {
  expect(errorOrigin(thrown)).toBeUndefined();
});

test('what refuses to be looked at is left alone', () => {
  const refuse = () => {
    throw new Error('no');
  };
  const error = Object.defineProperties(new Error('outside'), {
    stack: { get: refuse },
    cause: { get: refuse },
  });
  expect(errorOrigin(error)).toBeUndefined();
  const proxy = new Proxy({}, { getPrototypeOf: refuse, get: refuse });
  expect(errorOrigin(proxy)).toBeUndefined();
  const wrapped = new Error('outside', { cause: proxy });
  expect(errorOrigin(wrapped)?.causes).toEqual([{ message: expect.stringContaining('cannot be described') }]);
});
