// The roles of the programs in the test server, with the grants of docs/security.md and nothing more, under names of this test run.
// The vhost's users are made by servers.ts.
import { randomBytes } from 'node:crypto';
import { asAdministrator } from './administrator.ts';
import { documentedSql } from './documented.ts';

export type ProgramName = 'migrate' | 'api' | 'worker' | 'scaler';

/** Names and passwords: `warren_api` of the documentation is `<prefix>_api` here. */
export interface ProgramRoles {
  prefix: string;
  password: string;
}

const [once = [], afterMigration = []] = documentedSql('security.md');
const [settings = []] = documentedSql('postgres.md');

/** Creates the roles. What concerns a database is left to `admitPrograms`. */
export async function createProgramRoles(administratorUrl: string): Promise<ProgramRoles> {
  const roles = {
    prefix: `test_${randomBytes(4).toString('hex')}`,
    password: randomBytes(12).toString('hex'),
  };
  const statements = once.filter((statement) => !isAboutDatabase(statement));
  await asAdministrator(administratorUrl, async (sql) => {
    for (const statement of statements) await sql.unsafe(rename(statement, roles));
  });
  return roles;
}

/** Drops the roles; those that a database of a killed test names still stay. */
export async function dropProgramRoles(administratorUrl: string, { prefix }: ProgramRoles): Promise<void> {
  await asAdministrator(administratorUrl, async (sql) => {
    for (const program of ['api', 'worker', 'scaler', 'migrate'])
      await sql.unsafe(`drop role if exists ${prefix}_${program}`).catch(() => undefined);
  });
}

/** Lets the programs, and nobody else but administrators, into a database. */
export async function admitPrograms(administratorUrl: string, database: string, roles: ProgramRoles) {
  await asAdministrator(administratorUrl, async (sql) => {
    for (const statement of once.filter(isAboutDatabase))
      await sql.unsafe(rename(statement, roles).replace('database warren', `database ${database}`));
  });
}

/** Sets the roles, in this database alone, to what connections through a pooler cannot set themselves. */
export async function applyRoleSettings(administratorUrl: string, database: string, roles: ProgramRoles) {
  await asAdministrator(administratorUrl, async (sql) => {
    for (const statement of settings)
      await sql.unsafe(rename(statement, roles).replace(' set ', ` in database ${database} set `));
  });
}

/** Grants on the migrated schema what the programs need. */
export async function grantAfterMigration(migrateUrl: string, roles: ProgramRoles): Promise<void> {
  await asAdministrator(migrateUrl, async (sql) => {
    for (const statement of afterMigration) await sql.unsafe(rename(statement, roles));
  });
}

/** The same database as a program sees it. */
export function asProgramRole(url: string, program: ProgramName, roles: ProgramRoles): string {
  const changed = new URL(url);
  changed.username = `${roles.prefix}_${program}`;
  changed.password = roles.password;
  return changed.href;
}

function isAboutDatabase(statement: string): boolean {
  return statement.includes('on database');
}

function rename(statement: string, { prefix, password }: ProgramRoles): string {
  return statement.replaceAll('warren_', `${prefix}_`).replace("'…'", `'${password}'`);
}
