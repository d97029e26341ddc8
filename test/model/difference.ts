// What the test is there to find: the database did, or has, something else than the model says.

export class Difference extends Error {
  override name = 'Difference';
}

/** Throws `Difference` where they are not the same, as JSON. */
export function expectSame(what: string, real: unknown, model: unknown): void {
  const [told, wanted] = [JSON.stringify(real), JSON.stringify(model)];
  if (told !== wanted) throw new Difference(`${what}: Postgres says ${told}, the model ${wanted}`);
}

/** The same for lists whose order means nothing. */
export function expectSameSet(what: string, real: readonly string[], model: readonly string[]): void {
  expectSame(what, real.toSorted(), model.toSorted());
}

/** Throws `Difference` where an invariant is broken. */
export function expectThat(isTrue: boolean, otherwise: string): void {
  if (!isTrue) throw new Difference(otherwise);
}
