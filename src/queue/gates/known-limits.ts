/**
 * Refuses jobs that name a limit which nobody has defined: they would not be limited at all.
 *
 * Guarantees: jobs without limits cost nothing, and those of the application's own definitions no statement.
 */
import { InvalidInput } from '#shared/base/errors.ts';
import type { App } from '#shared/job/app.ts';
import { limitName } from '#shared/job/limit.ts';
import type { NewJob } from '#shared/postgres/statements/new-rows.ts';

/** A limit that was known is asked for again after that long, in milliseconds. */
const KNOWN_FOR_MS = 10_000;

/** Resolves with those of the names that are no limit's. */
export type FindUnknownLimits = (names: readonly string[]) => Promise<string[]>;

export class KnownLimits {
  readonly #defined: ReadonlySet<string>;
  readonly #find: FindUnknownLimits;
  readonly #known = new Map<string, number>();

  constructor({ limits }: Pick<App, 'limits'>, find: FindUnknownLimits) {
    this.#defined = new Set(limits.keys());
    this.#find = find;
  }

  /** Undefined where there is nothing to ask. Throws `InvalidInput`, with the pointer to where the limits were given. */
  assertKnown(jobs: readonly NewJob[], pointer = '/limits'): Promise<void> | undefined {
    const now = performance.now();
    const names = new Set(namesOf(jobs));
    for (const name of names)
      if (this.#defined.has(name) || now < (this.#known.get(name) ?? 0)) names.delete(name);
    return names.size === 0 ? undefined : this.#ask([...names], pointer);
  }

  async #ask(names: readonly string[], pointer: string): Promise<void> {
    const unknown = await this.#find(names);
    if (unknown.length > 0) throw unknownLimits(unknown, pointer);
    if (this.#known.size > 10_000) this.#known.clear();
    for (const name of names) this.#known.set(name, performance.now() + KNOWN_FOR_MS);
  }
}

/** The names of the limits of these jobs, without their keys. */
export function namesOf(jobs: readonly NewJob[]): string[] {
  return jobs.flatMap(
    ({ rare }) => rare?.limits?.map((reference) => limitName(reference) ?? reference) ?? [],
  );
}

export function unknownLimits(names: readonly string[], pointer = '/limits'): InvalidInput {
  const issues = names.map((name) => ({ detail: `there is no limit "${name}"`, pointer }));
  const told = names.map((name) => `"${name}"`).join(', ');
  return new InvalidInput(
    'unknown_limit',
    `no application defines a limit ${told}, and nobody has put one`,
    issues,
  );
}
