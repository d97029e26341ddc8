/**
 * The errors of Warren, told apart by what the caller does next. Each has a `code` for programs and a message for people.
 *
 * `instanceof` knows them across copies of the package: an application may have another one than the program that runs it.
 */

const BRAND = Symbol.for('warren.error');

abstract class WarrenError extends Error {
  abstract override readonly name: string;

  /** On the prototype, so that it shows in no output. */
  get [BRAND](): true {
    return true;
  }
}

/** By the name of the class where its prototype is another copy's. A subclass has a name of its own. */
function isInstance(this: { name: string }, thrown: unknown): boolean {
  if (Function.prototype[Symbol.hasInstance].call(this, thrown)) return true;
  return thrown instanceof Error && BRAND in thrown && thrown.name === this.name;
}

Object.defineProperty(WarrenError, Symbol.hasInstance, { value: isInstance });

/** The request is wrong and stays wrong: mend it. `pointer` is a JSON pointer to the offending member. */
export class InvalidInput extends WarrenError {
  override readonly name = 'InvalidInput';
  readonly code: string;
  readonly issues: readonly InputIssue[];

  constructor(code: string, message: string, issues: readonly InputIssue[] = []) {
    super(message);
    this.code = code;
    this.issues = issues;
  }
}

export interface InputIssue {
  detail: string;
  pointer: string;
}

/** The request is right, but the present state of the thing forbids it: look again before you repeat it. */
export class Conflict extends WarrenError {
  override readonly name = 'Conflict';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** There is no such thing: look at its id or its name. */
export class NotFound extends WarrenError {
  override readonly name = 'NotFound';
}

/** A server or a resource is away or busy: the same call may succeed later. Nothing is known to have been done. */
export class Unavailable extends WarrenError {
  override readonly name = 'Unavailable';
  readonly code: string;

  constructor(code: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** The process cannot start as it is configured or deployed: a person has to change something. Exit 1. */
export class Misconfigured extends WarrenError {
  override readonly name = 'Misconfigured';
}

/** The text of anything that was thrown, at most `maxCharacters` long; a cut is marked. Never throws. */
export function errorMessage(thrown: unknown, maxCharacters = 4_000): string {
  const text = describe(thrown).replaceAll('\u0000', '\ufffd').toWellFormed(); // Postgres stores neither
  return text.length <= maxCharacters
    ? text
    : `${text.slice(0, maxCharacters).toWellFormed()} … [cut, ${text.length} characters]`;
}

function describe(thrown: unknown): string {
  try {
    if (thrown instanceof Error) return `${thrown.name}: ${thrown.message}`;
    if (typeof thrown === 'string') return thrown;
    return JSON.stringify(thrown) ?? String(thrown);
  } catch {
    return 'a value that cannot be described was thrown'; // a circular object, a throwing getter or a proxy
  }
}
