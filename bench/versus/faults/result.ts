// What is kept of one contender in one scenario.
import type { Act, Proof } from './act.ts';
import type { Balance } from './balance.ts';
import { strikeBalance } from './balance.ts';

export interface Result {
  scenario: string;
  contender: string;
  title: string;
  proofs: Proof[];
  /** The fault took no effect: the figures say nothing. */
  isVoid: boolean;
  balance: Balance;
  figures: Record<string, number | string | null>;
  /** Workers that ended although nobody had ended them. */
  unplannedExits: number;
  error?: string;
}

export async function concludeAct(scenario: string, act: Act): Promise<Result> {
  const { fleet, submits, proofs, figures } = act;
  const held = await fleet
    .store((store) => store.held())
    .catch((error: unknown) => {
      act.error ??= `its own book could not be read: ${String(error)}`;
      return [];
    });
  return {
    scenario,
    contender: fleet.contender.name,
    title: fleet.contender.title,
    proofs,
    isVoid: proofs.length === 0 || proofs.some(({ ok }) => !ok),
    balance: strikeBalance({ submits, runs: fleet.runs(), held: new Set(held), ends: fleet.killedAt }),
    figures,
    unplannedExits: fleet.unplannedExits,
    ...(act.error === undefined ? {} : { error: act.error }),
  };
}
