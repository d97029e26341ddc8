// What the compiler promises to those who write retry policies. `tsc` checks this file; vitest only runs it.
import { expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import { defineJob, Unrecoverable } from '../../src/app.ts';
import type { RetryPolicy, RetryRule } from '../../src/index.ts';

class Declined extends Error {
  readonly code: number;

  constructor(code: number, bank: string) {
    super(`${bank}: ${code}`);
    this.code = code;
  }
}
abstract class Refused extends Error {}

test('a rule takes a class of errors, whatever its constructor takes, or a name', () => {
  expectTypeOf<{ on: typeof Declined }>().toExtend<RetryRule>();
  expectTypeOf<{ on: typeof Refused; maxAttempts: 3 }>().toExtend<RetryRule>();
  expectTypeOf<{ on: 'Busy'; backoffMs: (attempt: number) => number }>().toExtend<RetryRule>();
});

test('no rule is what names no error, or waits for no number', () => {
  expectTypeOf<{ on: Declined }>().not.toExtend<RetryRule>();
  expectTypeOf<{ maxAttempts: 3 }>().not.toExtend<RetryRule>();
  expectTypeOf<{ on: 'x'; delayMs: '5 s' }>().not.toExtend<RetryRule>();
  expectTypeOf<() => Promise<number>>().not.toExtend<RetryPolicy>();
});

test('a function is given what was thrown as unknown, and says a wait, no attempt more, or nothing', () => {
  defineJob({
    type: 'charge',
    args: z.strictObject({}),
    totalTimeoutMs: 60_000,
    retry: (error, attempt) => {
      expectTypeOf(error).toEqualTypeOf<unknown>();
      expectTypeOf(attempt).toEqualTypeOf<number>();
      if (error instanceof Declined) return error.code > 500 ? attempt * 100 : false;
      return undefined;
    },
    perform: async () => {},
  });
});

test('Unrecoverable takes a cause, and may be extended with a name of its own', () => {
  class CardDeclined extends Unrecoverable {
    override readonly name = 'CardDeclined';
  }
  expectTypeOf(new CardDeclined('no', { cause: new Error('402') })).toExtend<Unrecoverable>();
});
