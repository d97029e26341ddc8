/**
 * Looks after the gates at which jobs wait: those that open with time (a rate), and those whose last job ended in a process that died before it could let
 * the next one through.
 *
 * Guarantees: however many gates there are, a round is bounded; each is looked at in its turn.
 */
import type { Admission } from '#queue/gates/admission.ts';
import type { Database } from '#shared/postgres/database.ts';
import { findWaitedGates } from '#shared/postgres/statements/admit.ts';
import type { Chore } from './maintenance.ts';

const LOOK_AGAIN_MS = 1_000;
/** While not all gates have been looked at. */
const GO_ON_MS = 100;
/** What a timer may be early, in milliseconds. */
const EARLY_MS = 3;
const AT_ONCE = 500;
const GATES_PER_STATEMENT = 50;

export interface GatekeeperOptions {
  database: Database;
  admission: Pick<Admission, 'admitNow'>;
}

export function createGatekeeper({ database, admission }: GatekeeperOptions): Chore {
  /** When gates are to be looked at that open with time, by gate. */
  const openings = new Map<string, number>();
  let after = '';
  let nextRoundAt = 0;
  let plannedAt = 0;

  const admit = async (gates: readonly string[]) => {
    for (let start = 0; start < gates.length; start += GATES_PER_STATEMENT) {
      const some = gates.slice(start, start + GATES_PER_STATEMENT);
      const waits = await admission.admitNow(some);
      for (const gate of some) openings.delete(gate);
      for (const [gate, ms] of waits) openings.set(gate, performance.now() + ms);
    }
  };

  return async () => {
    const now = performance.now();
    if (now < plannedAt - EARLY_MS) nextRoundAt = now; // it was woken: somebody waits at a gate that is not known here
    const opening = [...openings].flatMap(([gate, at]) => (at <= now ? [gate] : []));
    if (opening.length > 0) await admit(opening);
    if (now >= nextRoundAt) {
      const gates = await database.query((sql) => findWaitedGates(sql, after, AT_ONCE));
      after = gates.length === AT_ONCE ? (gates.at(-1) ?? '') : '';
      nextRoundAt = performance.now() + (after === '' ? LOOK_AGAIN_MS : GO_ON_MS);
      await admit(gates);
    }
    plannedAt = Math.min(nextRoundAt, ...openings.values());
    return Math.max(0, plannedAt - performance.now());
  };
}
