// docs/incident.md, played: each situation is provoked on real programs, the doctor says what the page says, each command does what the page promises, and in
// the end every job has run, or was cancelled by a command of the page.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { IncidentFleet } from '../support/incident/fleet.ts';
import { firstSituations, lastSituations } from '../support/incident/fleet-situations.ts';
import { jobSituations } from '../support/incident/job-situations.ts';
import { incidentSections, isLineOf } from '../support/incident/page.ts';
import { substitute } from '../support/incident/situation.ts';

const fleet = new IncidentFleet();
const situations = { ...firstSituations(fleet), ...jobSituations(fleet), ...lastSituations(fleet) };

beforeAll(async () => await fleet.start());
afterAll(async () => await fleet[Symbol.asyncDispose]());

test('the page has the steps that are played here, and no other', () => {
  expect(Object.fromEntries(incidentSections().map(({ heading, steps }) => [heading, steps]))).toEqual(
    Object.fromEntries(
      Object.entries(situations).map(([heading, { steps }]) => [heading, steps.map(({ run }) => run)]),
    ),
  );
});

test.each(Object.entries(situations))('%s', async (heading, { provoke, steps }) => {
  const { seen } = incidentSections().find((section) => section.heading === heading) ?? { seen: [] };
  const values = (await provoke?.()) ?? {};
  if (seen.length > 0) {
    const { stdout } = await eventually(
      () => fleet.play('warren doctor'),
      (answer) => seen.every((line) => isLineOf(answer.stdout, line)),
    );
    values['SINCE'] ??= new RegExp(`${seen[0]?.split(':')[0]}:.* since (\\S+Z)`).exec(stdout)?.[1] ?? 'SINCE';
  }
  for (const { run, before, by, after } of steps) {
    await before?.();
    const lines = substitute(run, values);
    let out = await by?.(lines);
    if (out === undefined) {
      const { status, stdout, stderr } = await fleet.play(lines);
      expect(status, stderr).toBe(0);
      out = stdout;
    }
    await after?.(out);
  }
});

test('no job is lost, and none was cancelled but by a command of the page', async () => {
  const rows = await fleet.sql<{ type: string; state: string; count: number }[]>`
    select type, state, count(*)::int from warren.jobs group by type, state order by type, state`;
  const rowOf = (type: string) => rows.filter((row) => row.type === type && row.state !== 'completed');
  expect(rows.filter(({ state }) => state !== 'completed' && state !== 'cancelled')).toEqual([]);
  for (const type of ['send-mail', 'charge-card', 'pay-out', 'resize-picture', 'act-on-jobs'])
    expect(rowOf(type)).toEqual([]);
  expect(rowOf('import-contacts')).toMatchObject([{ count: 4 }]);
  expect(rowOf('sync-account')).toMatchObject([{ count: 4 }]);
});
