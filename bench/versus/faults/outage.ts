// A server is gone for twenty seconds under load: what do submits say, does work go on, and what is left afterwards?
import { setTimeout as delay } from 'node:timers/promises';
import { median } from '../../report/statistics.ts';
import { monotonicMs } from '../../stage/monotonic.ts';
import type { Server } from '../contender.ts';
import type { Act } from './act.ts';
import type { Scenario } from './scenario.ts';
import { playEach } from './scenario.ts';

const BEFORE_MS = 6_000;
const AWAY_MS = 20_000;
/** The load goes on for so long after the return, and then until everybody has made progress. */
const AFTER_MS = 10_000;
const PROGRESS_MS = 45_000;
const DRAIN_MS = 60_000;
const PER_SECOND = 5;
const JOB_MS = 1_000;
/** What was under way when the server went does not count as progress without it. */
const SETTLE_MS = 2_000;

export const brokerOutage: Scenario = {
  name: 'broker',
  title: 'RabbitMQ or Redis away for 20 s',
  servers: ['rabbitmq', 'redis'],
  play: async (acts, servers) => await playOutage(acts, { servers, away: ['rabbitmq', 'redis'] }),
};

export const databaseOutage: Scenario = {
  name: 'database',
  title: 'Postgres away for 20 s',
  servers: ['postgres'],
  play: async (acts, servers) => await playOutage(acts, { servers, away: ['postgres'] }),
};

async function playOutage(
  acts: readonly Act[],
  { servers, away }: { servers: Parameters<Scenario['play']>[1]; away: readonly Server[] },
): Promise<void> {
  const ending = new AbortController();
  const loads = playEach(acts, (act) =>
    act.load({ perSecond: PER_SECOND, ms: JOB_MS, signal: ending.signal }),
  );
  await delay(BEFORE_MS);
  await Promise.all(away.map((server) => servers.break(server)));
  const goneAt = monotonicMs();
  await delay(AWAY_MS);
  const returns = new Map<Server, number>();
  await Promise.all(
    away.map(async (server) => {
      await servers.heal(server);
      returns.set(server, monotonicMs());
    }),
  );
  const backAtOf = ({ fleet }: Act) =>
    Math.max(...fleet.contender.servers.flatMap((server) => returns.get(server) ?? []));
  await delay(AFTER_MS);
  await playEach(acts, async (act) => {
    const hasProgress = () => act.fleet.runs().some(({ startedAt }) => startedAt > backAtOf(act));
    await act.until(hasProgress, PROGRESS_MS);
  });
  ending.abort();
  await loads;
  await playEach(acts, async (act) => await measure(act, { goneAt, backAt: backAtOf(act) }));
}

async function measure(act: Act, { goneAt, backAt }: { goneAt: number; backAt: number }): Promise<void> {
  act.prove(
    `the server was gone for ${((backAt - goneAt) / 1_000).toFixed(1)} s`,
    backAt - goneAt >= AWAY_MS,
  );
  const isDrained = await act.drain(DRAIN_MS);
  const during = act.submits.filter(({ at }) => at > goneAt && at < backAt - 1_000);
  const answers = during.filter(({ outcome }) => outcome !== 'unanswered').map(({ ms }) => ms / 1_000);
  const count = (outcome: string) => during.filter((submit) => submit.outcome === outcome).length;
  const runs = act.fleet.runs();
  const starts = runs.map(({ startedAt }) => startedAt);
  const afterReturn = starts.filter((at) => at > backAt);
  const ends = runs.flatMap(({ endedAt }) => endedAt ?? []);
  Object.assign(act.figures, {
    'submits accepted': count('accepted'),
    'submits refused': count('refused'),
    'submits unanswered': count('unanswered'),
    'answer s, median': answers.length === 0 ? null : median(answers),
    'answer s, longest': during.length === 0 ? null : Math.max(...during.map(({ ms }) => ms)) / 1_000,
    'jobs started during': starts.filter((at) => at > goneAt + SETTLE_MS && at < backAt).length,
    'progress after s': afterReturn.length === 0 ? null : (Math.min(...afterReturn) - backAt) / 1_000,
    'drained after s': isDrained ? Math.max(0, Math.max(...ends) - backAt) / 1_000 : null,
  });
}
