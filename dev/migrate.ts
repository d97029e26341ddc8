// `npm run migrate`: brings the schema of the database at DATABASE_URL up to date.
import { migrate } from '../src/shared/postgres/migrate/migrate.ts';
import { loadApp } from '../src/shared/program/load-app.ts';
import { readAppModule } from '../src/shared/settings/config.ts';
import { readCommandLine } from './command-line.ts';
import { runOnDatabase } from './run-on-database.ts';

readCommandLine({
  name: 'npm run migrate',
  about: 'Brings the schema of the database at DATABASE_URL up to date.',
  flags: {},
});
await runOnDatabase(async (databaseUrl) => {
  const { applied } = await migrate({ databaseUrl, app: await loadApp(readAppModule()) });
  return applied.length === 0 ? 'the schema is up to date' : `applied ${applied.join(', ')}`;
});
