// The migration in a container: waits for Postgres, then brings its schema up to date. SCALER_ROLE, where it is set, names the role that counts jobs for
// an autoscaler (k8s/components/queue-depth): it gets its grants as soon as somebody has made it. One line about it, or one about why not and exit code 1.
// As the first process of its container it has to ask for SIGTERM: the kernel gives process 1 no default action.

import { isUnavailable } from '../../src/shared/postgres/failures.ts';
import { migrate } from '../../src/shared/postgres/migrate/migrate.ts';
import { loadApp } from '../../src/shared/program/load-app.ts';
import { readAppModule } from '../../src/shared/settings/config.ts';
import { readEnvironment } from '../environment.ts';
import { runOnDatabase } from '../run-on-database.ts';
import { waitUntil } from '../wait-until.ts';
import { grantToScaler } from './scaler-grants.ts';

const timeoutMs = 20 * 60_000;

process.once('SIGTERM', () => process.exit(143));
await runOnDatabase(async (databaseUrl) => {
  const applied = await migrateOnceThere(databaseUrl);
  const { SCALER_ROLE: role } = readEnvironment().inherited;
  if (role !== undefined) await grantOnceThere({ databaseUrl, role });
  return applied.length === 0 ? 'the schema is up to date' : `applied ${applied.join(', ')}`;
});

async function migrateOnceThere(databaseUrl: string): Promise<string[]> {
  const result = await waitUntil({
    what: 'Postgres',
    check: async () => {
      try {
        return { applied: (await migrate({ databaseUrl, app: await loadApp(readAppModule()) })).applied };
      } catch (error) {
        if (isUnavailable(error)) throw error;
        return { error };
      }
    },
    timeoutMs,
    intervalMs: 1_000,
    log: (line) => console.log(line),
  });
  if ('error' in result) throw result.error;
  return result.applied;
}

/** The operator of the cluster makes the role, perhaps later than the database. Programs do not wait for it: the schema is there. */
async function grantOnceThere({ databaseUrl, role }: { databaseUrl: string; role: string }): Promise<void> {
  await waitUntil({
    what: `the role ${role}`,
    check: async () => {
      await grantToScaler({ databaseUrl, role });
      return true;
    },
    timeoutMs,
    intervalMs: 2_000,
    log: (line) => console.log(line),
  });
}
