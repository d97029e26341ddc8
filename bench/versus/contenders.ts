// Who takes part, in the order of every table. Adapters are loaded one by one: a process loads no other contender's package.
import type { Warren } from '../stage/warren.ts';
import type { Contender } from './contender.ts';

const loaders = {
  floor: async () => (await import('./contenders/floor.ts')).floor,
  'floor-ahead': async () => (await import('./contenders/floor.ts')).floorAhead,
  naive: async () => (await import('./contenders/naive.ts')).naive,
  warren: async () => (await import('./contenders/warren.ts')).warren,
  'warren-ahead': async () => (await import('./contenders/warren.ts')).warrenAhead,
  'bullmq-redis-everysec': async () => (await import('./contenders/bullmq-redis.ts')).bullmqEverySecond,
  'bullmq-redis-always': async () => (await import('./contenders/bullmq-redis.ts')).bullmqAlways,
  'bullmq-redis-always-grouped': async () =>
    (await import('./contenders/bullmq-redis.ts')).bullmqAlwaysGrouped,
  'bullmq-postgres': async () => (await import('./contenders/bullmq-postgres.ts')).bullmqPostgres,
  'pg-boss': async () => (await import('./contenders/pg-boss.ts')).pgBossDefaults,
  'pg-boss-fastest': async () => (await import('./contenders/pg-boss.ts')).pgBossFastest,
  'graphile-worker': async () => (await import('./contenders/graphile-worker.ts')).graphileDefaults,
  'graphile-worker-batched': async () => (await import('./contenders/graphile-worker.ts')).graphileBatched,
};

/** "Warren before" takes part where a checkout of it is given. */
export type ContenderName = keyof typeof loaders | 'warren-before';

/** Ways to take jobs in that are there for a measurement alone. */
const asides: readonly ContenderName[] = [
  'floor',
  'floor-ahead',
  'naive',
  'warren-ahead',
  'bullmq-redis-always-grouped',
];

export const contenderNames = (Object.keys(loaders) as (keyof typeof loaders)[]).filter(
  (name) => !asides.includes(name),
);

export async function findContender(name: string | undefined, before?: Warren): Promise<Contender> {
  if (name === 'warren-before' && before !== undefined)
    return await (await import('./contenders/warren-before.ts')).warrenBefore(before);
  const load = (loaders as Readonly<Record<string, () => Promise<Contender>>>)[name ?? ''];
  if (load === undefined) throw new Error(`"${name}" takes no part: there are ${contenderNames.join(', ')}`);
  return await load();
}
