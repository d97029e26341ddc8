// Before a program in its pod: waits until the migration has brought the schema to what this code needs. The programs themselves refuse an older one
// and exit. Exit code 1 after twenty minutes. SIGTERM: see migrate.ts.
import { Events } from '../../src/shared/observe/events.ts';
import { Database } from '../../src/shared/postgres/database.ts';
import { assertSchemaIsCurrent } from '../../src/shared/postgres/migrate/migrate.ts';
import { runOnDatabase } from '../run-on-database.ts';
import { waitUntil } from '../wait-until.ts';

const timeoutMs = 20 * 60_000;

process.once('SIGTERM', () => process.exit(143));
await runOnDatabase(async (url) => {
  const database = new Database({ url, name: 'warren-await-schema', min: 0, max: 1, events: new Events() });
  try {
    return await waitUntil({
      what: 'the schema',
      check: async () => {
        await assertSchemaIsCurrent(database);
        return 'the schema is current';
      },
      timeoutMs,
      intervalMs: 1_000,
      log: (line) => console.log(line),
    });
  } finally {
    await database.stop();
  }
});
