// What a worker holds at the moment in which it is stopped by SIGSTOP: asked only when nothing of it moves any more.
import { readFileSync } from 'node:fs';
import { eventually } from '../../support/eventually.ts';
import type { Member } from './member.ts';
import type { Scene } from './scene.ts';

const STOP_TIMEOUT_MS = 5_000;

/** Resolves when the kernel has stopped the process, and Postgres has ended what the process had asked before. */
export async function freeze(scene: Scene, member: Member): Promise<void> {
  process.kill(member.pid, 'SIGSTOP');
  const state = () => /^State:\s+(\S)/m.exec(readFileSync(`/proc/${member.pid}/status`, 'utf8'))?.[1];
  await eventually(state, (letter) => letter === 'T', { timeoutMs: STOP_TIMEOUT_MS, everyMs: 1 });
  await eventually(
    async () => await countBusySessions(scene, member),
    (count) => count === 0,
    { timeoutMs: STOP_TIMEOUT_MS, everyMs: 10 },
  );
}

export function wake(member: Member): void {
  process.kill(member.pid, 'SIGCONT');
}

/**
 * Jobs whose claim by this worker is committed and not settled: exactly those that run, or will run when it wakes, under a claim of theirs.
 */
export async function countHeldJobs({ stage }: Scene, { pid }: Member): Promise<number> {
  return await stage.sql(async (sql) => {
    const [row] = await sql`
      select count(*)::int as count from warren.jobs job join warren.workers worker using (owner)
      where state = 'running' and worker.name like ${`%:${pid}`}`;
    return Number(row?.['count']);
  });
}

async function countBusySessions({ stage }: Scene, { pid }: Member): Promise<number> {
  return await stage.sql(async (sql) => {
    const [row] = await sql`
      select count(*)::int as count from pg_stat_activity
      where state <> 'idle' and application_name like ${`warren-worker@%:${pid}%`}`;
    return Number(row?.['count']);
  });
}
