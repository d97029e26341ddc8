// Which worker does the chores of the fleet, as the database says.

import { monotonicMs } from '../../../bench/stage/monotonic.ts';
import { eventually } from '../../support/eventually.ts';
import type { Member } from './member.ts';
import type { Scene } from './scene.ts';

const LEADER_TIMEOUT_MS = 30_000;
const MAX_HANDOVERS = 10;

/** Undefined while there is none. */
export async function findLeader({ stage }: Scene): Promise<Member | undefined> {
  const name = await stage.sql(async (sql) => {
    const [row] = await sql`
      select worker.name from warren.leadership join warren.workers worker using (owner) where until > now()`;
    return String(row?.['name'] ?? '');
  });
  return stage.workers.find(({ pid }) => name.endsWith(`:${pid}`));
}

/** Resolves when a worker other than `former` leads, with how long that took in milliseconds. */
export async function untilLed(scene: Scene, former?: Member): Promise<{ leader: Member; afterMs: number }> {
  const since = monotonicMs();
  const formerPid = former?.pid;
  const leader = await eventually(
    async () => await findLeader(scene),
    (found) => found !== undefined && found.pid !== formerPid,
    { timeoutMs: LEADER_TIMEOUT_MS, everyMs: 25 },
  );
  if (leader === undefined) throw new Error('nobody leads');
  return { leader, afterMs: monotonicMs() - since };
}

/** Has the others restarted in good order until one of these leads. `restart` starts a worker that has ended. */
export async function handOver(
  scene: Scene,
  wanted: readonly Member[],
  restart: (member: Member) => Promise<void>,
): Promise<Member> {
  for (let turn = 0; turn < MAX_HANDOVERS; turn += 1) {
    const { leader } = await untilLed(scene);
    if (wanted.includes(leader)) return leader;
    await leader.end('SIGTERM');
    await untilLed(scene, leader);
    await restart(leader);
  }
  throw new Error(`none of those wanted leads after ${MAX_HANDOVERS} turns`);
}
