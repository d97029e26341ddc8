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
  const { stage, submits, proofs, figures } = act;
  const held = await stage
    .store((store) => store.held())
    .catch((error: unknown) => {
      act.error ??= `its own book could not be read: ${String(error)}`;
      return [];
    });
  const ends = new Map(stage.workers.flatMap(({ pid, killedAt }) => (killedAt ? [[pid, killedAt]] : [])));
  return {
    scenario,
    contender: stage.contender.name,
    title: stage.contender.title,
    proofs,
    isVoid: proofs.length === 0 || proofs.some(({ ok }) => !ok),
    balance: strikeBalance({ submits, runs: stage.runs(), held: new Set(held), ends }),
    figures,
    unplannedExits: stage.unplannedExits,
    ...(act.error === undefined ? {} : { error: act.error }),
  };
}
