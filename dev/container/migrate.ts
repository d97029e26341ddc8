// The migration in a container: waits for Postgres, then brings its schema up to date. One line about it, or one about why not and exit code 1.
// As the first process of its container it has to ask for SIGTERM: the kernel gives process 1 no default action.

import { isUnavailable } from '../../src/shared/postgres/failures.ts';
import { migrate } from '../../src/shared/postgres/migrate/migrate.ts';
import { loadApp } from '../../src/shared/program/load-app.ts';
import { readAppModule } from '../../src/shared/settings/config.ts';
import { runOnDatabase } from '../run-on-database.ts';
import { waitUntil } from '../wait-until.ts';

const timeoutMs = 20 * 60_000;

process.once('SIGTERM', () => process.exit(143));
await runOnDatabase(async (databaseUrl) => {
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
  return result.applied.length === 0 ? 'the schema is up to date' : `applied ${result.applied.join(', ')}`;
});
