// Another role of the test server: somebody who may connect, and what the test grants.
// Guarantees: it is gone once disposed of. Make it before the database, so that it is dropped after what depends on it.
import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import { asAdministrator } from './administrator.ts';

export type TestRole = AsyncDisposable & {
  readonly name: string;
  /** Lets the role into the database, and returns its URL there. */
  connectTo(databaseUrl: string): Promise<string>;
};

export async function createRole(): Promise<TestRole> {
  const administratorUrl = inject('databaseUrl');
  const name = `test_${randomBytes(6).toString('hex')}`;
  const password = randomBytes(12).toString('hex');
  await asAdministrator(administratorUrl, async (sql) => {
    await sql.unsafe(`create role ${name} login password '${password}'`);
  });
  return {
    name,
    connectTo: async (databaseUrl) => {
      const url = new URL(databaseUrl);
      await asAdministrator(administratorUrl, async (sql) => {
        await sql.unsafe(`grant connect on database ${url.pathname.slice(1)} to ${name}`);
      });
      url.username = name;
      url.password = password;
      return url.href;
    },
    [Symbol.asyncDispose]: async () =>
      asAdministrator(administratorUrl, async (sql) => {
        await sql.unsafe(`drop role if exists ${name}`);
      }),
  };
}
