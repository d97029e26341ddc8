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

/** By the name of the class, or of one that it extends, where its prototype is another copy's. A subclass has a name of its own. */
function isInstance(this: { name: string }, thrown: unknown): boolean {
  if (Function.prototype[Symbol.hasInstance].call(this, thrown)) return true;
  if (!(thrown instanceof Error && BRAND in thrown)) return false;
  return thrown.name === this.name || extendsNamed(thrown, this.name);
}

function extendsNamed(thrown: object, name: string): boolean {
  for (let level = Object.getPrototypeOf(thrown); level !== null; level = Object.getPrototypeOf(level)) {
    if (level.constructor?.name === name) return true;
  }
  return false;
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

/** The queue has as many jobs waiting as it takes: enqueue later, when some have run. Nothing was enqueued. */
export class QueueFull extends WarrenError {
  override readonly name = 'QueueFull';
  readonly code: string;
  readonly queue: string;
  /** How many jobs may wait in it. */
  readonly maxDepth: number;

  constructor(code: string, message: string, { queue, maxDepth }: { queue: string; maxDepth: number }) {
    super(message);
    this.code = code;
    this.queue = queue;
    this.maxDepth = maxDepth;
  }
}

/** The process cannot start as it is configured or deployed: a person has to change something. Exit 1. */
export class Misconfigured extends WarrenError {
  override readonly name = 'Misconfigured';
}

/** Thrown by a handler: this job can never succeed. It is discarded at once, whatever attempts are left. A subclass may have a name of its own. */
export class Unrecoverable extends WarrenError {
  override readonly name: string = 'Unrecoverable';
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
