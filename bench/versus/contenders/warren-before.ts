// Warren before: the programs of an older commit, filled and watched by the adapter of that commit.
import type { Warren } from '../../stage/warren.ts';
import { importFrom, jobTypesOf } from '../../stage/warren.ts';
import type { Contender, Places, ProgramPlan } from '../contender.ts';
import { programs, warren } from './warren.ts';

/** In an adapter of an older commit, what comes behind the confirms is awaited by a watch that has to be closed. */
interface Adapter {
  warren: Pick<Contender, 'open' | 'settled'> & {
    watchBroker?(places: Places): Promise<{ settled(): Promise<void>; close(): Promise<void> }>;
  };
}

export async function warrenBefore(older: Warren): Promise<Contender> {
  const { warren: own } = await importFrom<Adapter>(older, 'bench/versus/contenders/warren.ts');
  const { env, nodeArgs } = jobTypesOf(older, {
    app: 'bench/versus/programs/warren-app.ts',
    preload: 'bench/versus/programs/warren-jobs.ts',
  });
  const inCheckout = (plan: ProgramPlan): ProgramPlan => ({
    ...plan,
    checkout: older.checkout,
    env: { ...plan.env, ...env },
    nodeArgs,
  });
  const settled = async (places: Places) => {
    const watch = await own.watchBroker?.(places);
    await watch?.settled();
    await watch?.close();
  };
  return {
    ...warren,
    name: 'warren-before',
    title: older.title,
    warren: older,
    open: own.open,
    settled: own.settled ?? settled,
    programs: {
      api: (places) => inCheckout(programs.api(places)),
      worker: (places, concurrency) => inCheckout(programs.worker(places, concurrency)),
    },
  };
}
