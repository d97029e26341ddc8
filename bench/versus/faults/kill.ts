// A worker is killed in the middle of its jobs while another one lives and has room: how long until the orphans start again?
import { setTimeout as delay } from 'node:timers/promises';
import type { OwnedProcess } from '../../../dev/owned-process.ts';
import { median } from '../../report/statistics.ts';
import type { Act } from './act.ts';
import type { Scenario } from './scenario.ts';
import { playEach } from './scenario.ts';

export const WATCH_MS = 90_000;
/** Together no more than one worker has slots: the one that lives has room for all. */
const JOBS = 10;
const JOB_MS = 4_000;
const RUNNING = 3;
const STAGGER_MS = 1_500;
const DRAIN_MS = 10_000;

export const kill: Scenario = {
  name: 'kill',
  title: 'kill -9 of a worker',
  play: async (acts) =>
    await playEach(acts, async (act, index) => {
      await delay(index * STAGGER_MS); // so that none is measured while another one's load begins
      const { takeovers, orphans } = await killOnce(act, { watchMs: WATCH_MS });
      act.figures['orphans'] = orphans;
      act.figures['restarted'] = takeovers.length;
      act.figures['first takeover ms'] = takeovers.length === 0 ? null : Math.min(...takeovers);
      act.figures['median takeover ms'] = takeovers.length === 0 ? null : median(takeovers);
      act.figures['last takeover ms'] = takeovers.length === 0 ? null : Math.max(...takeovers);
      await act.drain(DRAIN_MS);
    }),
};

export interface KillOptions {
  watchMs: number;
  /** Together no more than one worker has slots. */
  jobs?: number;
  /** So many run in the victim at least. */
  running?: number;
}

/** Kills the busiest worker and watches its orphans for so long. Takeovers are milliseconds from the kill to an orphan's next start. */
export async function killOnce(
  act: Act,
  { watchMs, jobs = JOBS, running = RUNNING }: KillOptions,
): Promise<{ takeovers: number[]; orphans: number; victim: OwnedProcess }> {
  await Promise.all(Array.from({ length: jobs }, () => act.submit({ ms: JOB_MS })));
  const victim = await act.busiest(running);
  await act.fleet.kill(victim);
  const killedAt = act.fleet.killedAt.get(victim.pid) ?? 0;
  const orphans = new Set(act.running(victim).map(({ key }) => key));
  act.prove(
    `${orphans.size} jobs ran in the process that is gone`,
    victim.exit !== undefined && orphans.size > 0,
  );
  const takeovers = () =>
    [...orphans].flatMap((key) => {
      const starts = act.fleet.runs().filter((run) => run.key === key && run.pid !== victim.pid);
      const first = Math.min(...starts.map(({ startedAt }) => startedAt));
      return Number.isFinite(first) ? [Math.max(0, first - killedAt)] : [];
    });
  await act.until(() => takeovers().length === orphans.size, watchMs);
  return { takeovers: takeovers(), orphans: orphans.size, victim };
}
