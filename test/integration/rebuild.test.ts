// `npm run rebuild` as an operator runs it after the broker was replaced.
import { resolve } from 'node:path';
import postgres from 'postgres';
import { expect, test } from 'vitest';
import { runCommand } from '../../dev/command.ts';
import { HANG_MS } from '../support/eventually.ts';
import { createDatabase } from '../support/servers.ts';

test('every available job is left to the relay, and nothing else changes', async () => {
  await using database = await createDatabase();
  const sql = postgres(database.url, { max: 1 });
  const insert = (state: string, count: number) => sql`
    insert into warren.jobs (type, queue, args, state, max_attempts, run_at, published_at, finished_at)
    select 'test-job', 'default', '{}', ${state}, 5, now(), now(),
      case when ${state} = 'completed' then now() end
    from generate_series(1, ${count}::int)`;
  // More than one round.
  await insert('available', 12_500);
  await insert('completed', 500);
  const unpublished = async () => {
    const rows = await sql`
      select state, count(*)::int from warren.jobs where published_at is null and relay_at <= now() group by 1`;
    return rows.map(({ state, count }) => [state, count]);
  };

  expect(await rebuild(database.url)).toMatch(/^12500 jobs are left/);
  expect(await unpublished()).toEqual([['available', 12_500]]);

  await sql`update warren.jobs set published_at = now() where id <= 2500`;
  expect(await rebuild(database.url)).toMatch(/^2500 jobs are left/);
  expect(await rebuild(database.url)).toMatch(/^0 jobs are left/);
  expect(await unpublished()).toEqual([['available', 12_500]]);
  await sql.end();
});

async function rebuild(databaseUrl: string): Promise<string> {
  const result = await runCommand(process.execPath, ['dev/rebuild.ts'], {
    cwd: resolve(import.meta.dirname, '../..'),
    env: { PATH: '/usr/bin:/bin', DATABASE_URL: databaseUrl },
    timeoutMs: HANG_MS,
  });
  expect(result).toMatchObject({ status: 0, stderr: '' });
  return result.stdout;
}
