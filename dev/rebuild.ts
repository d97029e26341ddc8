// `npm run rebuild`: `warren rebuild` on the database of the environment, as the other npm scripts find it.
import { republishJobs } from '../src/shared/postgres/republish.ts';
import { readCommandLine } from './command-line.ts';
import { runOnDatabase } from './run-on-database.ts';

readCommandLine({
  name: 'npm run rebuild',
  about:
    'After the broker was replaced: has every waiting job of the database at DATABASE_URL published again. Harmless at any time.',
  flags: {},
});
await runOnDatabase(
  async (databaseUrl) =>
    `${await republishJobs(databaseUrl)} jobs are left to the relay, which publishes them again`,
);
