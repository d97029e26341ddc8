// A worker that lives and does nothing: stopped from outside for 75 s, or its event loop blocked by a handler for 50 s. Another one has room.
import { setTimeout as delay } from 'node:timers/promises';
import { signalProcess } from '../../../dev/running-process.ts';
import { monotonicMs } from '../../stage/monotonic.ts';
import type { Act } from './act.ts';
import type { Scenario } from './scenario.ts';
import { playEach } from './scenario.ts';

const STOP_MS = 75_000;
/** Together no more than one worker has slots: the one that lives has room for all. */
const JOBS = 10;
const JOB_MS = 6_000;
const RUNNING = 3;
const DRAIN_MS = 20_000;

export const stopped: Scenario = {
  name: 'stopped',
  title: 'A worker stopped (SIGSTOP) for 75 s, then awake again',
  play: async (acts) => await playEach(acts, playStopped),
};

async function playStopped(act: Act): Promise<void> {
  await Promise.all(Array.from({ length: JOBS }, () => act.submit({ ms: JOB_MS })));
  const victim = await act.busiest(RUNNING);
  signalProcess(victim.pid, 'SIGSTOP');
  const stoppedAt = monotonicMs();
  const orphans = new Set(act.running(victim).map(({ key }) => key));
  await delay(STOP_MS);
  const isSilent = act.running(victim).length === orphans.size;
  act.prove(
    `${orphans.size} running jobs stood still for ${STOP_MS / 1_000} s`,
    isSilent && orphans.size > 0,
  );
  const elsewhere = act.fleet.runs().filter(({ key, pid }) => orphans.has(key) && pid !== victim.pid);
  signalProcess(victim.pid, 'SIGCONT');
  const first = Math.min(...elsewhere.map(({ startedAt }) => startedAt));
  act.figures['standing still'] = orphans.size;
  act.figures['started elsewhere'] = new Set(elsewhere.map(({ key }) => key)).size;
  act.figures['started elsewhere after s'] = Number.isFinite(first) ? (first - stoppedAt) / 1_000 : null;
  await act.drain(DRAIN_MS);
}

const BLOCK_MS = 50_000;
/** BullMQ looks for expired locks every 30 s: a block that begins now is found at the second look from here, while it lasts. */
const BEGIN_MS = 22_000;
const BLOCK_START_MS = 10_000;

export const blocked: Scenario = {
  name: 'blocked',
  title: 'A handler that blocks the event loop for 50 s',
  play: async (acts) => await playEach(acts, playBlocked),
};

async function playBlocked(act: Act): Promise<void> {
  await delay(BEGIN_MS);
  const key = await act.submit({ ms: BLOCK_MS, spin: true });
  const runsOf = () => act.fleet.runs().filter((run) => run.key === key);
  await act.until(() => runsOf().length > 0, BLOCK_START_MS);
  await act.until(() => runsOf().some(({ endedAt }) => endedAt !== undefined), BLOCK_MS * 2);
  const [first] = runsOf().toSorted((one, other) => one.startedAt - other.startedAt);
  const blockedMs = (first?.endedAt ?? Number.NaN) - (first?.startedAt ?? 0);
  act.prove(`the event loop was blocked for ${Math.round(blockedMs / 1_000)} s`, blockedMs >= BLOCK_MS - 1);
  const again = runsOf().filter((run) => run !== first && run.startedAt > (first?.startedAt ?? 0));
  const second = Math.min(...again.map(({ startedAt }) => startedAt));
  act.figures['starts'] = runsOf().length;
  act.figures['started again after s'] = Number.isFinite(second)
    ? (second - (first?.startedAt ?? 0)) / 1_000
    : null;
  await act.drain(DRAIN_MS);
}
