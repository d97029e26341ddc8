// A private Postgres that is stopped and crashed: which commits it undoes, and when claims are closed.
import postgres from 'postgres';
import { expect, test } from 'vitest';
import { runCommand } from '../../dev/command.ts';
import { readEnvironment } from '../../dev/environment.ts';
import { startServices } from '../../dev/services.ts';
import { migrate } from '../../src/shared/postgres/migrate/migrate.ts';
import { claimJobs } from '../../src/shared/postgres/statements/claim.ts';
import { recordOutcomes } from '../../src/shared/postgres/statements/record.ts';
import { restoreClaims } from '../../src/shared/postgres/statements/restore.ts';
import { BreakableServers } from '../faults/stage/breakable-servers.ts';
import { findServerObstacle } from '../faults/stage/servers.ts';
import { eventually } from '../support/eventually.ts';
import { testApp } from '../support/test-app.ts';
import { testFolder } from '../support/test-folder.ts';

const obstacle = await findServerObstacle();
const claimant = { owner: '4711', claimNumber: 1, types: '{test-job}' };

test.skipIf(obstacle !== undefined)(
  'a crash undoes claims and nothing that was recorded, and closes claims; a stop does neither',
  { timeout: 300_000 },
  async () => {
    using folder = testFolder('postgres-crash');
    await using services = await startServices({
      folder: folder.path,
      log: () => undefined,
      environment: readEnvironment({ PATH: '/usr/bin:/bin' }),
      run: async (command, ...rest) =>
        command === 'docker' ? { status: 127, stdout: '', stderr: '' } : await runCommand(command, ...rest),
    });
    const servers = new BreakableServers({ services, folder: folder.path });
    const { databaseUrl } = services;
    await migrate({ databaseUrl, app: testApp([]) });
    const ask = async <T>(statement: (sql: postgres.Sql) => Promise<T>): Promise<T> => {
      const sql = postgres(databaseUrl, { max: 1, onnotice: () => {}, fetch_types: false });
      try {
        return await statement(sql);
      } finally {
        await sql.end({ timeout: 1 });
      }
    };
    const again = async (signal: NodeJS.Signals) => {
      await servers.postgres.stop(signal);
      await servers.postgres.start();
      await servers.postgresReady();
    };
    const insert = () =>
      ask(async (sql) => {
        const [job] = await sql<{ id: string }[]>`
          insert into warren.jobs (type, queue, args, max_attempts, state) values ('test-job', 'default', '{}', 5, 'available') returning id`;
        return job?.id ?? '';
      });
    const claim = (id: string) => ask(async (sql) => (await claimJobs(sql, [id], claimant)).length);
    const complete = (id: string) =>
      ask((sql) => recordOutcomes(sql, [{ id, fence: 1, act: 'complete' }], ['4711']));
    const look = (id: string) =>
      ask(async (sql) => {
        const [job] = await sql`
          select state, fence, attempt, (select count(*)::int from warren.claims_open) as open from warren.jobs where id = ${id}`;
        return job;
      });
    const claimed = { state: 'running', fence: 1, attempt: 1 };
    const undone = { state: 'available', fence: 0, attempt: 0 };
    // Nothing but a commit that waits for the disk brings anything there.
    await ask((sql) => sql.unsafe(`alter system set wal_writer_delay = '10s'`));
    await ask((sql) => sql.unsafe('alter system set autovacuum = off'));
    await again('SIGINT');

    const stopped = await insert();
    expect(await claim(stopped)).toBe(1);
    await again('SIGINT');
    expect(await look(stopped)).toEqual({ ...claimed, open: 1 });

    const recorded = await insert();
    const running = await insert();
    await claim(recorded);
    await complete(recorded);
    await claim(running);
    await again('SIGQUIT');
    expect(await look(recorded)).toMatchObject({ state: 'completed', attempt: 1 });
    expect(await look(running)).toEqual({ ...undone, open: 0 });
    expect(await claim(running)).toBe(0);
    const held = [{ id: running, fence: 1, claimNumber: 1 }];
    expect(await ask((sql) => restoreClaims(sql, held, ['4711']))).toEqual([
      { id: running, isRestored: true },
    ]);
    expect(await look(running)).toEqual({ ...claimed, open: 0 });
    expect(await ask((sql) => restoreClaims(sql, held, ['4711']))).toEqual([
      { id: running, isRestored: false },
    ]);
    expect(await ask((sql) => restoreClaims(sql, held, ['4712']))).toEqual([]);

    await ask((sql) => sql`insert into warren.claims_open default values`);
    const lost = await insert();
    expect(await claim(lost)).toBe(1);
    const victim = postgres(databaseUrl, { max: 1, onnotice: () => {}, fetch_types: false });
    const [backend] = await victim<{ pid: number }[]>`select pg_backend_pid() as pid`;
    const waiting = ask((sql) => sql`select pg_sleep(60)`).catch(() => 'ended');
    process.kill(backend?.pid ?? 0, 'SIGKILL');
    expect(await waiting).toBe('ended');
    await victim.end({ timeout: 0 });
    await eventually(
      () => look(lost).catch(() => undefined),
      (job) => job !== undefined,
    );
    expect(await look(lost)).toEqual({ ...undone, open: 0 });
    servers.kill();
  },
);
