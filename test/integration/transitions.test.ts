// The database's own texts against the table of transitions: what migrations wrote cannot derive from it.
import { expect, test } from 'vitest';
import { jobStates, liveStates, timedStates } from '../../src/shared/job/transitions.ts';
import { startFleet, testJob } from '../support/fleet.ts';

const statesIn = (text: string) => jobStates.filter((state) => text.includes(`'${state}'`));

test('the indexes on the state, and the check of its column, name the states of the table', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const indexes = await fleet.sql(
    (sql) => sql<{ name: string; condition: string }[]>`
      select indexrelid::regclass::text as name, pg_get_expr(indpred, indrelid) as condition from pg_index
      where indrelid = 'warren.jobs'::regclass and indpred is not null`,
  );
  const conditionOf = (name: string) =>
    indexes.find((index) => index.name === `warren.${name}`)?.condition ?? '';
  expect(statesIn(conditionOf('jobs_unique'))).toEqual(liveStates);
  expect(statesIn(conditionOf('jobs_due'))).toEqual(timedStates);
  const checks = await fleet.sql(
    (sql) => sql<{ text: string }[]>`
      select pg_get_constraintdef(oid) as text from pg_constraint where conrelid = 'warren.jobs'::regclass and contype = 'c'`,
  );
  const check = checks.find(({ text }) => text.includes('state'))?.text ?? '';
  expect(statesIn(check)).toEqual(jobStates);
});
