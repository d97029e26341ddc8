import { expect, test } from 'vitest';
import type { AppOptions, AppResources } from '../../src/shared/job/app.ts';
import { defineApp } from '../../src/shared/job/app.ts';
import { Events } from '../../src/shared/observe/events.ts';
import { ApplicationServices } from '../../src/shared/postgres/application-services.ts';
import { listen } from '../support/events.ts';
import { createDatabase } from '../support/servers.ts';

const events = new Events();

function withServices(
  services: AppOptions['services'],
  url = 'postgres://127.0.0.1:1/none',
): ApplicationServices {
  const app = defineApp({ name: 'test', queues: {}, jobs: [], services });
  return new ApplicationServices(app, { url, name: 'services-test', max: 1, events });
}

test('services are made once, with a client on the database, and disposed of at the end', async () => {
  await using database = await createDatabase();
  const seen: unknown[] = [];
  const services = withServices(async ({ sql, databaseUrl }: AppResources) => {
    seen.push(databaseUrl, (await sql`select current_setting('application_name') as name`)[0]);
    return { [Symbol.asyncDispose]: async () => void seen.push('disposed') };
  }, database.url);
  expect(services.services).toBeUndefined();
  await Promise.all([services.open(), services.open()]);
  expect(services.services).toBeDefined();
  expect(seen).toEqual([database.url, { name: 'services-test' }]);
  await services.close();
  expect(seen.at(-1)).toBe('disposed');
  await expect(services.sql`select 1`).rejects.toMatchObject({ code: 'CONNECTION_ENDED' });
});

test('a value is handed on as it is, and stays alive: others may use it', async () => {
  const disposed: string[] = [];
  const value = { [Symbol.dispose]: () => void disposed.push('value') };
  const services = withServices(value);
  await services.open();
  expect(services.services).toBe(value);
  await services.close();
  expect(disposed).toEqual([]);
});

test('what an application throws when it makes its services is thrown; when it disposes of them it is logged', async () => {
  await expect(
    withServices(() => {
      throw new Error('no mail server');
    }).open(),
  ).rejects.toThrow('no mail server');

  using failed = listen(events, 'services.failed');
  const services = withServices(() => ({
    [Symbol.dispose]: () => {
      throw new Error('still open');
    },
  }));
  await services.open();
  await services.close();
  expect(failed.all).toMatchObject([{ error: { message: 'still open' } }]);
});
