// The claim of a group by permits: each delivery starts one job, however many rounds it takes to find one for it.
import { expect, test } from 'vitest';
import type { Database, Sql } from '../../src/shared/postgres/database.ts';
import type { Claim } from '../../src/shared/postgres/statements/claim.ts';
import type { Permit } from '../../src/shared/postgres/statements/permits.ts';
import type { Standing } from '../../src/shared/postgres/statements/read.ts';
import { ArgsRoom } from '../../src/worker/args-room.ts';
import { GroupClaim } from '../../src/worker/group-claim.ts';
import { HeldJobs } from '../../src/worker/held-jobs.ts';
import { PermitPeriod } from '../../src/worker/permit-period.ts';

const claimOf = (id: string) => ({ id, fence: 1, claimNumber: 1, argsBytes: 2 }) as Claim;
const ended = (id: string) =>
  ({ id, type: 'a', queue: 'default', state: 'completed', owner: null, hasOthersFirst: true }) as Standing;

/** Answers the statements in turn, and keeps the permits that they were given. */
function scripted(answers: (readonly object[])[]) {
  const permits: string[][] = [];
  const sql = (_text: readonly string[], ...values: unknown[]) => {
    for (const value of values)
      if (typeof value === 'string' && value.includes('"isHeld"'))
        permits.push((JSON.parse(value) as Permit[]).map(({ id }) => id));
    return [];
  };
  const query = async (statement: (sql: Sql) => unknown) => {
    await statement(Object.assign(sql, { unsafe: () => [] }) as unknown as Sql);
    return answers.shift() ?? [];
  };
  return { permits, database: { query } as unknown as Database };
}

function groupOf(database: Database) {
  const room = new ArgsRoom(1_000_000);
  const held = new HeldJobs(room);
  const period = new PermitPeriod();
  period.renew();
  const claimant = { owner: '1', claimNumber: 1, types: '{a}', queue: 'default', period };
  const group = new GroupClaim(
    {
      database,
      room,
      held,
      types: new Set(['a']),
      isTakenOver: () => false,
      laneClaim: async () => {},
      onClaimed: () => {},
    },
    claimant,
  );
  return { held, group };
}
const wishes = ['1', '2', '3'].map((id) => ({ id, hasRoom: false }));
const looks = wishes.map(({ id }) => ended(id));

test('a permit that has started a job is offered for no other in the next round', async () => {
  const { permits, database } = scripted([[claimOf('11'), claimOf('12')], looks, [claimOf('13')]]);
  const { held, group } = groupOf(database);
  const results = await group.claim(wishes);
  expect(permits).toEqual([['1', '2', '3'], ['3']]);
  expect(results.map(({ kind }) => kind)).toEqual(['claimed', 'claimed', 'claimed']);
  expect(held.ids.toSorted()).toEqual(['11', '12', '13']);
});

test('a job that was claimed and that no delivery runs is not held, so that it is found again', async () => {
  const { database } = scripted([[claimOf('11')], looks, [claimOf('12'), claimOf('13'), claimOf('14')]]);
  const { held, group } = groupOf(database);
  const results = await group.claim(wishes);
  const claimed = results.flatMap((result) => (result.kind === 'claimed' ? [result.claim.id] : []));
  expect(claimed).toHaveLength(3);
  expect(held.ids.toSorted()).toEqual(claimed.toSorted());
});
