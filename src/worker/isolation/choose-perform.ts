/**
 * Where the handler of an attempt runs: in the worker, unless its type is isolated or its job has taken workers down.
 */
import { isIsolated } from '#shared/job/isolation.ts';
import { QUARANTINED_FROM } from '#shared/postgres/statements/parts.ts';
import type { Perform } from '../perform.ts';
import { perform } from '../perform.ts';

export interface OtherPlaces {
  /** Where a handler cannot take its worker down. */
  quarantine: Perform;
  /** For the types that are isolated. */
  isolated: Perform;
}

export function choosePerform({ quarantine, isolated }: OtherPlaces): Perform {
  return (definition, claim, abort, resources) => {
    if (claim.crashes >= QUARANTINED_FROM) {
      resources.started?.(); // its attempt is never charged, and it may wait for its turn
      return quarantine(definition, claim, abort, resources);
    }
    return (isIsolated(definition) ? isolated : perform)(definition, claim, abort, resources);
  };
}
