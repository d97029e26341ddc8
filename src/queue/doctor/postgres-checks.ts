/**
 * What is looked for in the settings, in Postgres and in its schema. Pure.
 */
import type { Check, PostgresFacts, SettingsFacts, WithServer } from './check.ts';

const OPERATIONS = 'docs/operations.md';
const POSTGRES = 'docs/postgres.md';
const WRAPAROUND = 500_000_000;
const MAX_SKEW_MS = 1_000;
/** Of max_connections. */
const NEARLY_ALL = 0.9;

export const settingsChecks: readonly Check<SettingsFacts>[] = [
  {
    code: 'settings-wrong',
    severity: 'error',
    looksFor: 'a setting that a program would refuse',
    remedy: 'mend it: the programs end with the same line',
    page: 'docs/settings.md',
    find: ({ problem }) => (problem === undefined ? [] : [problem]),
  },
  {
    code: 'server-unverified',
    severity: 'warning',
    looksFor: 'a server on another machine that is spoken to in clear, or believed without a proof',
    remedy: 'use TLS, and have the certificate checked',
    page: 'docs/security.md',
    find: ({ unverifiedServers }) => [...unverifiedServers],
  },
];

export const accessChecks: readonly Check<PostgresFacts>[] = [
  {
    code: 'postgres-away',
    severity: 'error',
    looksFor: 'a Postgres that does not answer',
    remedy: 'start it, or mend DATABASE_URL',
    page: OPERATIONS,
    find: ({ postgresProblem }) =>
      postgresProblem === undefined || isPooler(postgresProblem)
        ? []
        : [`Postgres cannot be asked: ${postgresProblem}`],
  },
  {
    code: 'pooler-undeclared',
    severity: 'error',
    looksFor: 'a PgBouncer that DATABASE_DIRECT_URL does not tell of',
    remedy: 'set DATABASE_DIRECT_URL to Postgres itself, and the settings of the roles',
    page: POSTGRES,
    find: ({ postgresProblem }) =>
      postgresProblem !== undefined && isPooler(postgresProblem) ? [`DATABASE_URL: ${postgresProblem}`] : [],
  },
  {
    code: 'direct-url-wrong',
    severity: 'error',
    looksFor: 'a DATABASE_DIRECT_URL that does not lead to Postgres itself',
    remedy: 'let it lead past the PgBouncer: the presence of a worker lasts as long as its session',
    page: POSTGRES,
    find: ({ directProblem }) =>
      directProblem === undefined ? [] : [`DATABASE_DIRECT_URL: ${directProblem}`],
  },
];

/** A PgBouncer does not know the settings that a session of ours begins with. */
function isPooler(problem: string): boolean {
  return /unsupported startup parameter/.test(problem);
}

export const serverChecks: readonly Check<WithServer>[] = [
  {
    code: 'schema-older',
    severity: 'error',
    looksFor: 'a schema that is not there, or older than this version of Warren',
    remedy: 'run `warren migrate`, then apply the grants',
    page: OPERATIONS,
    find: ({ server: { schemaVersion }, wantedVersion }) =>
      (schemaVersion ?? 0) < wantedVersion
        ? [`the schema has version ${schemaVersion ?? 0}, this Warren needs ${wantedVersion}`]
        : [],
  },
  {
    code: 'schema-newer',
    severity: 'note',
    looksFor: 'a schema that is newer than this version of Warren',
    remedy: 'update the programs, the workers first',
    page: OPERATIONS,
    find: ({ server: { schemaVersion }, wantedVersion }) =>
      (schemaVersion ?? 0) > wantedVersion
        ? [`the schema has version ${schemaVersion}, this Warren knows ${wantedVersion}`]
        : [],
  },
  {
    code: 'clock-skewed',
    severity: 'warning',
    looksFor: 'a clock of Postgres that is more than a second away from this machine',
    remedy: 'synchronize both (NTP); Warren goes by the one of Postgres',
    page: OPERATIONS,
    find: ({ server: { clockAheadMs } }) =>
      Math.abs(clockAheadMs) > MAX_SKEW_MS
        ? [`Postgres is ${Math.round(clockAheadMs)} ms ahead of this machine`]
        : [],
  },
  {
    code: 'server-unsafe',
    severity: 'error',
    looksFor: '`fsync`, `full_page_writes` or `autovacuum` switched off',
    remedy: 'switch it on: what was acknowledged may be lost, or the tables grow without end',
    page: OPERATIONS,
    find: ({ server }) => server.unsafeSettings,
  },
  {
    code: 'index-invalid',
    severity: 'error',
    looksFor: 'an index that Postgres does not use, because building it has failed',
    remedy: '`warren doctor --fix` builds it anew (`reindex index concurrently`), as its owner',
    page: OPERATIONS,
    find: ({ server }) => server.invalidIndexes.map((name) => `warren.${name} is invalid`),
  },
  {
    code: 'index-missing',
    severity: 'error',
    looksFor: 'an index that a migration has made, and that is gone',
    remedy: 'create it as the migration does (src/shared/postgres/migrate/migrations)',
    page: OPERATIONS,
    find: ({ server, wantedVersion }) =>
      server.schemaVersion === wantedVersion
        ? server.missingIndexes.map((name) => `warren.${name} is missing`)
        : [],
  },
  {
    code: 'search-index-incomplete',
    severity: 'warning',
    looksFor: 'indexes of texts of which others are missing: jobs pay for them, and no search uses them',
    remedy: '`warren search-index create` makes the others, `warren search-index drop` drops them all',
    page: 'docs/search.md',
    find: ({ server }) => server.missingTextIndexes.map((name) => `warren.${name} is missing`),
  },
  {
    code: 'table-bloated',
    severity: 'warning',
    looksFor: 'more dead rows than living ones, and more than 50 000',
    remedy: '`warren doctor --fix` vacuums it; if they come back, a long transaction keeps them',
    page: OPERATIONS,
    find: ({ server }) =>
      server.bloatedTables.map(
        ({ name, dead, live }) => `warren.${name} has ${dead} dead rows and ${live} living ones`,
      ),
  },
  {
    code: 'autovacuum-off',
    severity: 'warning',
    looksFor: 'a table of ours without autovacuum',
    remedy: '`alter table … reset (autovacuum_enabled)`',
    page: OPERATIONS,
    find: ({ server }) =>
      server.tablesWithoutAutovacuum.map((name) => `warren.${name} is never vacuumed by itself`),
  },
  {
    code: 'transaction-long',
    severity: 'warning',
    looksFor: 'a transaction that has been open for five minutes, or is prepared and forgotten',
    remedy: 'end it: as long as it lasts no dead row can go, and claims become slower',
    page: OPERATIONS,
    find: ({ server }) => [
      ...server.longTransactions.map(
        ({ pid, name, seconds }) =>
          `process ${pid} (${name || 'without a name'}) has one open for ${seconds} s`,
      ),
      ...server.preparedTransactions.map(
        ({ name, seconds }) => `"${name}" has been prepared for ${seconds} s`,
      ),
    ],
  },
  {
    code: 'slot-idle',
    severity: 'warning',
    looksFor: 'a replication slot that nobody reads',
    remedy: 'drop it, or start its reader: it keeps the log of Postgres, and maybe dead rows',
    page: OPERATIONS,
    find: ({ server }) => server.idleSlots.map((name) => `nobody reads the slot ${name}`),
  },
  {
    code: 'wraparound-near',
    severity: 'error',
    looksFor: 'a database that soon has no transaction numbers left',
    remedy: 'vacuum it (`vacuumdb --freeze`), and end what keeps old transactions',
    page: OPERATIONS,
    find: ({ server: { transactionsLeft } }) =>
      transactionsLeft < WRAPAROUND ? [`${transactionsLeft} transaction numbers are left`] : [],
  },
  {
    code: 'connections-short',
    severity: 'error',
    looksFor: 'a server, or a database with a limit of its own, that has nearly all its connections in use',
    remedy: 'raise max_connections, lower DATABASE_POOL_MAX and JOBS_POOL_MAX, or put a PgBouncer in between',
    page: POSTGRES,
    find: ({ server: { openConnections, maxConnections, ofDatabase, holders } }) => [
      ...(openConnections > NEARLY_ALL * maxConnections
        ? [`${openConnections} of ${maxConnections} connections are open, most by ${tellHolders(holders)}`]
        : []),
      ...(ofDatabase.limit !== null && ofDatabase.open > NEARLY_ALL * ofDatabase.limit
        ? [
            `${ofDatabase.open} of the ${ofDatabase.limit} connections that this database may have are open, most by ${tellHolders(ofDatabase.holders)}`,
          ]
        : []),
    ],
  },
];

function tellHolders(holders: WithServer['server']['holders']): string {
  return holders.map(({ name, connections }) => `${name || 'without a name'} (${connections})`).join(', ');
}
