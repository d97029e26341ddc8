// `npm run rebuild`: after the broker was replaced, leaves every available job of the database at DATABASE_URL to the relay, which publishes
// it again. Harmless at any time: a job that has two messages is claimed once.
import postgres from 'postgres';

import { commandOptions } from '../src/shared/postgres/connection-options.ts';
import { unpublishJobs } from '../src/shared/postgres/statements/maintenance.ts';
import { readCommandLine } from './command-line.ts';
import { runOnDatabase } from './run-on-database.ts';

const roundSize = 10_000;

readCommandLine({
  name: 'npm run rebuild',
  about:
    'After the broker was replaced: has every waiting job of the database at DATABASE_URL published again. Harmless at any time.',
  flags: {},
});
await runOnDatabase(async (databaseUrl) => {
  const sql = postgres(databaseUrl, commandOptions('warren-rebuild'));
  try {
    let total = 0;
    for (;;) {
      const count = await unpublishJobs(sql, roundSize);
      total += count;
      // Not until there are none: a relay that runs meanwhile publishes them as fast as this takes them back.
      if (count < roundSize) return `${total} jobs are left to the relay, which publishes them again`;
    }
  } finally {
    await sql.end({ timeout: 2 });
  }
});
