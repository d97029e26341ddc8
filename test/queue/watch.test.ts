// Watching jobs without servers: what it costs, and what a watcher is told.
import { expect, test } from 'vitest';
import { JobWatcher } from '../../src/queue/watch.ts';
import { NotFound, Unavailable } from '../../src/shared/base/errors.ts';
import type { Job } from '../../src/shared/job/job.ts';
import type { JobState } from '../../src/shared/job/transitions.ts';
import type { Database } from '../../src/shared/postgres/database.ts';
import type { Progress } from '../../src/shared/postgres/statements/read.ts';

/** Jobs in memory; counts what it is asked, and is away when it is told to. */
function createRows() {
  const rows = new Map<string, Progress>();
  const asked = { looks: 0, reads: 0, ids: '' };
  const looked = { now: Promise.withResolvers<void>() };
  let isAway = false;
  const assertThere = () => {
    if (isAway) throw new Unavailable('postgres_away', 'Postgres is away');
  };
  const database = {
    query: async (statement: (sql: unknown) => unknown) => {
      asked.looks += 1;
      statement((_: readonly string[], ids: string) => {
        asked.ids = ids;
      });
      looked.now.resolve();
      looked.now = Promise.withResolvers<void>();
      assertThere();
      return [...rows.values()].map((row) => ({ ...row }));
    },
  } as unknown as Database;
  const browser = {
    find: async (id: string) => {
      asked.reads += 1;
      assertThere();
      const row = rows.get(id);
      if (row === undefined) throw new NotFound('there is no such job');
      return { ...row } as Job;
    },
  };
  return {
    watcher: new JobWatcher({ database, browser }),
    asked,
    set: (id: string, state: JobState, attempt = 0) => rows.set(id, { id, state, attempt }),
    delete: (id: string) => rows.delete(id),
    goAway: (away: boolean) => {
      isAway = away;
    },
    /** Resolves after a look that begins from now on. */
    nextLook: () => looked.now.promise,
  };
}

const never = new AbortController().signal;

async function statesOf(watch: AsyncIterable<Job>, told: string[] = []): Promise<string[]> {
  for await (const { state, attempt } of watch) told.push(`${state} ${attempt}`);
  return told;
}

test('however many watch, one look asks for all, and a change is read once', async () => {
  const rows = createRows();
  rows.set('1', 'available');
  const watches = Array.from({ length: 500 }, () => statesOf(rows.watcher.watch('1', never)));
  await rows.nextLook();
  expect(rows.asked.reads).toBe(1);
  rows.set('1', 'completed', 1);
  for (const states of await Promise.all(watches)) expect(states).toEqual(['available 0', 'completed 1']);
  expect(rows.asked.reads).toBe(2);
  expect(rows.asked.looks).toBeLessThan(20);
  await rows.watcher.stop();
});

test('an outage only delays what is told; a job that is gone, and a stop, end a watch', async () => {
  const rows = createRows();
  rows.set('1', 'running', 1);
  rows.set('2', 'available');
  const told: string[] = [];
  const watch = statesOf(rows.watcher.watch('1', never), told);
  const gone = statesOf(rows.watcher.watch('2', never));
  const stopped = statesOf(rows.watcher.watch('1', never));
  const ends = Promise.allSettled([gone, stopped]);
  await rows.nextLook();
  rows.goAway(true);
  await expect(statesOf(rows.watcher.watch('3', never))).rejects.toThrow(Unavailable);
  rows.set('1', 'running', 2);
  rows.delete('2');
  await rows.nextLook();
  rows.goAway(false);
  await expect(gone).rejects.toThrow(NotFound);
  await rows.nextLook();
  expect(told).toEqual(['running 1', 'running 2']);
  await rows.watcher.stop();
  await expect(watch).rejects.toThrow(Unavailable);
  await ends;
  await expect(statesOf(rows.watcher.watch('1', never))).rejects.toThrow(Unavailable);
});

test('a watcher that leaves is not waited for, and its job is not asked for any more', async () => {
  const rows = createRows();
  rows.set('1', 'available');
  rows.set('2', 'available');
  const leaving = new AbortController();
  const left = statesOf(rows.watcher.watch('1', leaving.signal));
  const stays = Promise.allSettled([statesOf(rows.watcher.watch('2', never))]);
  await rows.nextLook();
  expect(rows.asked.ids).toBe('{1,2}');
  leaving.abort();
  expect(await left).toEqual(['available 0']);
  await rows.nextLook();
  expect(rows.asked.ids).toBe('{2}');
  await rows.watcher.stop();
  await stays;
});
