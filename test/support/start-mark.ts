// What Postgres knows of the start of a running job: the number of the claim that took it, and the last one whose handlers its worker has started.
import { eventually } from './eventually.ts';
import type { Fleet } from './fleet.ts';

/** Resolves when the worker has told that the job's handler is started; from then on its death is charged. */
export async function untilMarkedStarted(fleet: Fleet, id: string): Promise<void> {
  await eventually(
    async () =>
      await fleet.sql(
        (sql) => sql<{ claimed: number; started: number }[]>`
        select claim_batch as claimed, started_batch as started
        from warren.jobs job join warren.workers worker on worker.owner = job.owner where job.id = ${id}`,
      ),
    ([mark]) => mark !== undefined && mark.started >= mark.claimed,
  );
}
