// A database whose clock stands still until the test moves it, so that times can be compared to the microsecond and a minute costs nothing.
// Guarantees: the statements are the real ones. They write `now()` without a schema, and this connection looks into the schema `model` first; the
// defaults of columns and the functions of the schema `warren` are pointed there too. What a server knows of itself (its start) is left as it is.
import postgres from 'postgres';

const SETUP = `
  create schema model;
  create function model.now() returns timestamptz language sql stable
    return pg_catalog.current_setting('model.now')::timestamptz;
  create function model.clock_timestamp() returns timestamptz language sql stable
    return pg_catalog.current_setting('model.now')::timestamptz;
  do $$
  declare found record;
  begin
    for found in
      select attrelid::regclass as relation, attname as name
      from pg_catalog.pg_attrdef join pg_catalog.pg_attribute on attrelid = adrelid and attnum = adnum
      join pg_catalog.pg_class on pg_class.oid = attrelid
      where relnamespace = 'warren'::regnamespace and pg_get_expr(adbin, adrelid) in ('now()', 'clock_timestamp()')
    loop
      execute format('alter table %s alter column %I set default model.now()', found.relation, found.name);
    end loop;
    for found in
      select oid::regprocedure as routine from pg_catalog.pg_proc where pronamespace = 'warren'::regnamespace
    loop
      execute format('alter function %s set search_path = model, pg_catalog', found.routine);
    end loop;
  end $$`;

/** Once for a database that is migrated. */
export async function installClock(url: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    await sql.unsafe(SETUP);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** One session, on which all statements run in their order. */
export function connectToClock(url: string): postgres.Sql {
  return postgres(url, {
    max: 1,
    onnotice: () => undefined,
    // Nothing here outlives the server, so no commit waits for the disk.
    connection: {
      search_path: 'model, pg_catalog',
      application_name: 'model',
      synchronous_commit: 'off',
    },
  });
}

/** `now` in epoch milliseconds. */
export async function setClock(sql: postgres.Sql, now: number): Promise<void> {
  await sql`select set_config('model.now', ${new Date(now).toISOString()}, false)`;
}
