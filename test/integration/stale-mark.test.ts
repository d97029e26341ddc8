import { expect, test } from 'vitest';
import { claimJobs } from '../../src/shared/postgres/statements/claim.ts';
import { promoteDueJobs } from '../../src/shared/postgres/statements/maintenance.ts';
import { markPublished } from '../../src/shared/postgres/statements/publish.ts';
import { recordOutcomes } from '../../src/shared/postgres/statements/record.ts';
import { eventually } from '../support/eventually.ts';
import { startFleet, testJob } from '../support/fleet.ts';

test('a late mark of an earlier message does not hide a job that waits to be published again', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const { database } = fleet;
  const id = await fleet.enqueue({}, { delayMs: 1 });
  const promote = () => database.query((sql) => promoteDueJobs(sql, 1));
  const [first] = await eventually(promote, ({ length }) => length === 1); // it may not be due yet
  await database.query((sql) => claimJobs(sql, [id], { owner: '1', claimNumber: 1, types: '{test-job}' }));
  await database.query((sql) => recordOutcomes(sql, [{ id, fence: 1, act: 'fail', delayMs: 0 }], ['1']));
  const [second] = await promote();

  await database.query((sql) => markPublished(sql, [first ?? { id: '0', fence: 0 }]));
  expect(await publishedAt()).toBeNull();
  await database.query((sql) => markPublished(sql, [second ?? { id: '0', fence: 0 }]));
  expect(await publishedAt()).toBeInstanceOf(Date);

  async function publishedAt() {
    const [row] = await fleet.sql((sql) => sql`select published_at from warren.jobs where id = ${id}`);
    return row?.['published_at'];
  }
});
