/**
 * Why a job does not run, in one sentence, from all that decides it. Pure.
 *
 * Guarantees: the first obstacle is named that would keep it from running if all others were gone; of several the one that keeps the others in place: where
 * nobody serves a queue, its limits stay in use, too.
 */
import type { Check } from '#shared/base/health-check.ts';
import type { JobState } from '#shared/job/transitions.ts';
import { isEnd } from '#shared/job/transitions.ts';
import type { Situation } from '#shared/postgres/statements/situation.ts';
import { MAX_AHEAD } from '#shared/postgres/statements/situation.ts';
import type { Reason } from './reasons.ts';

export interface Explanation {
  state: JobState;
  reason: Reason;
  /** Since when that is so; where nobody has noted it, since when the job is due. Null where nobody knows. */
  since: Date | null;
  /** One sentence. */
  detail: string;
  /** What to do, in one sentence. Null where there is nothing to do. */
  remedy: string | null;
  /** The job that it waits for, where it is one. */
  waitsFor: string | null;
}

type Told = Omit<Explanation, 'state' | 'waitsFor'> & Partial<Pick<Explanation, 'waitsFor'>>;

/** `broker`: RabbitMQ as this process sees it. */
export function explainSituation(situation: Situation, broker: Check): Explanation {
  return { state: situation.state, waitsFor: null, ...explain(situation, broker) };
}

function explain(situation: Situation, broker: Check): Told {
  const { state } = situation;
  if (isEnd(state)) return explainEnd(situation);
  if (state === 'running') return explainRunning(situation);
  if (situation.isLate) return explainLate(situation);
  if (state === 'scheduled' || state === 'retryable') return explainTime(situation);
  return (
    findSwitchedOff(situation) ??
    findUnserved(situation) ??
    (state === 'held' ? explainGate(situation) : explainAvailable(situation, broker))
  );
}

/** The error itself is left out: its text may repeat what the type hides, and the job shows it. */
function explainEnd({ state, finishedAt: since, hasExpired, attempt }: Situation): Told {
  if (state === 'completed')
    return { reason: 'ended', since, detail: `It was completed at attempt ${attempt}.`, remedy: null };
  const retry = 'retry it (POST /v1/jobs/:id/retry).';
  if (state === 'cancelled')
    return {
      reason: 'ended',
      since,
      detail: 'It was cancelled.',
      remedy: `Where it shall run after all, ${retry}`,
    };
  if (hasExpired)
    return {
      reason: 'expired',
      since,
      detail: 'It was not started in time, and was discarded.',
      remedy: `Where it shall run all the same, ${retry}`,
    };
  return {
    reason: 'ended',
    since,
    detail: `It was discarded after attempt ${attempt}.`,
    remedy: `See its last error (GET /v1/jobs/:id), mend the cause, and ${retry}`,
  };
}

function explainRunning({ worker, startedAt: since, attempt, maxAttempts, ...rest }: Situation): Told {
  if (worker === null || !worker.isPresent || !worker.isBeating)
    return {
      reason: 'worker-lost',
      since: worker === null ? since : new Date(worker.beatAt),
      detail:
        worker === null
          ? 'The worker that it ran on has left without it.'
          : `The worker ${worker.name} that it runs on has ${worker.isPresent ? 'not been heard of lately' : 'died'}.`,
      remedy:
        'Another worker gets it, within seconds where the process is dead, after a minute where it is frozen; see that a worker is there.',
    };
  const where = `It runs on ${worker.name}, attempt ${attempt} of ${maxAttempts}`;
  if (rest.isCancelRequested)
    return {
      reason: 'cancelling',
      since,
      detail: `${where}, and is asked to stop: its handler has not let go yet.`,
      remedy: 'Wait: a handler that does not heed its signal is given up soon.',
    };
  return { reason: 'running', since, detail: `${where}.`, remedy: null };
}

function explainLate({ expiresAt, deadlineAt, startedAt, isLed }: Situation): Told {
  const hasExpired = startedAt === null && expiresAt !== null && expiresAt.getTime() <= Date.now();
  const since = hasExpired ? expiresAt : deadlineAt;
  const of = hasExpired ? 'It was to be started by' : 'Its time over all attempts was over at';
  return {
    reason: 'expired',
    since,
    detail: `${of} ${since?.toISOString() ?? 'a time that is past'}; nobody starts it any more.`,
    remedy: isLed
      ? 'It is discarded within seconds; retry it then if it shall run all the same.'
      : 'It is discarded as soon as a worker is there: start one.',
  };
}

function explainTime({
  state,
  isDue,
  isLed,
  runAt,
  failedAt,
  attempt,
  maxAttempts,
  ...rest
}: Situation): Told {
  if (isDue)
    return isLed
      ? { reason: 'due-now', since: runAt, detail: 'Its time has just come.', remedy: null }
      : {
          reason: 'no-worker',
          since: runAt,
          detail: 'Its time has come, and there is no living worker that makes it available.',
          remedy: 'Start a worker.',
        };
  const run = 'Run it now if it shall not wait (POST /v1/jobs/:id/run).';
  if (state === 'retryable')
    return {
      reason: 'retry-later',
      since: failedAt === null ? rest.startedAt : new Date(failedAt),
      detail: `Attempt ${attempt} of ${maxAttempts} has failed; the next one is at ${runAt.toISOString()}.`,
      remedy: run,
    };
  return {
    reason: 'due-later',
    since: rest.startedAt ?? rest.createdAt,
    detail: `It is scheduled for ${runAt.toISOString()}.`,
    remedy: run,
  };
}

/** What somebody has switched off, or a crash. */
function findSwitchedOff({ queue, type, runAt, ...rest }: Situation): Told | undefined {
  if (!rest.areClaimsOpen)
    return {
      reason: 'claims-closed',
      since: runAt,
      detail: 'Postgres has crashed or failed over, and nothing starts until its workers have returned.',
      remedy: 'Wait some seconds; where it lasts, see that a worker is there.',
    };
  if (rest.isQueuePaused)
    return {
      reason: 'queue-paused',
      since: rest.queuePausedAt,
      detail: `Its queue "${queue}" is paused.`,
      remedy: `Resume it (POST /v1/queues/${queue}/resume).`,
    };
  if (rest.isTypePaused)
    return {
      reason: 'type-paused',
      since: rest.typePausedAt,
      detail: `Its type "${type}" is paused.`,
      remedy: `Resume it (POST /v1/types/${encodeURIComponent(type)}/resume).`,
    };
  return undefined;
}

function findUnserved({ fleet, queue, type, unservedSince, runAt }: Situation): Told | undefined {
  if (fleet.knowing > 0) return undefined;
  const since = unservedSince ?? runAt;
  if (fleet.serving > 0)
    return {
      reason: 'unknown-type',
      since,
      detail: `${count(fleet.serving, 'worker serves', 'workers serve')} its queue "${queue}", and none knows its type "${type}".`,
      remedy: 'Start a worker of the application, and of the version, that defines the type.',
    };
  const draining = `; ${count(fleet.draining, 'that does drains', 'that do drain')}`;
  const living = `${count(fleet.alive, 'worker is', 'workers are')} there, and none serves its queue "${queue}"`;
  return {
    reason: 'no-worker',
    since,
    detail:
      fleet.alive === 0 ? 'There is no living worker.' : `${living}${fleet.draining > 0 ? draining : ''}.`,
    remedy: `Start a worker that serves "${queue}" (WORKER_QUEUES), or move the job to a queue that is served.`,
  };
}

function explainGate(situation: Situation): Told {
  const { gate, runAt: since, gateInUse, groupMaxRunning, holder, queue } = situation;
  const [kind = '', name = '', ...rest] = (gate ?? '').split(':');
  const key = rest.join(':');
  const ahead = describeAhead(situation);
  if (kind === 'limit')
    return {
      reason: 'limit',
      since,
      detail: `The limit "${name}"${key === '' ? '' : ` for "${key}"`} ${describeLimit(situation)}: ${count(gateInUse, 'job has', 'jobs have')} a place${ahead}.`,
      remedy: `Wait, or raise the limit (PUT /v1/limits/${name}).`,
    };
  if (kind === 'order')
    return {
      reason: 'order',
      since,
      waitsFor: holder?.id ?? null,
      detail:
        holder === null
          ? `Its ordering key "${key}" is free, and it is about to go on${ahead}.`
          : `Job ${holder.id}, which is ${holder.state}, has its ordering key "${key}"${ahead}.`,
      remedy:
        holder?.state === 'discarded'
          ? `The key stops at that job: retry, cancel or delete job ${holder.id}.`
          : `Wait${holder === null ? '' : `, or see why job ${holder.id} does not end`}.`,
    };
  if (kind === 'group')
    return {
      reason: 'group',
      since,
      detail:
        groupMaxRunning !== null && gateInUse >= groupMaxRunning
          ? `Its group "${key}" may have ${groupMaxRunning} at once, and has ${gateInUse}${ahead}.`
          : `The groups of the queue "${queue}" take turns, and the workers have what they can run${ahead}.`,
      remedy: 'Wait, or give the queue more slots or workers.',
    };
  return { reason: 'due-now', since, detail: 'Its queue was just resumed.', remedy: null };
}

function describeLimit({ limit }: Situation): string {
  if (limit === null) return 'is gone';
  const { concurrency, rateCount, ratePerMs } = limit;
  const parts = [
    concurrency === null ? '' : `lets ${count(concurrency, 'job', 'jobs')} run at once`,
    rateCount === null ? '' : `lets ${count(rateCount, 'job', 'jobs')} start in ${ratePerMs} ms`,
  ];
  return parts.filter((part) => part !== '').join(' and ');
}

function explainAvailable(situation: Situation, broker: Check): Told {
  const { fleet, runAt: since, isPublished, isLed, queue } = situation;
  if (!broker.ok && !fleet.isOnFallback)
    return {
      reason: 'broker-away',
      since,
      detail: `RabbitMQ cannot be used (${broker.detail ?? 'nobody knows why'}), and no worker of its queue takes jobs straight from Postgres.`,
      remedy:
        'Bring RabbitMQ back, or clear its alarm; workers that miss it take jobs from Postgres after two seconds.',
    };
  if (fleet.running >= fleet.slots && fleet.slots > 0)
    return {
      reason: 'workers-busy',
      since,
      detail: `The ${count(fleet.knowing, 'worker', 'workers')} of its queue "${queue}" run ${fleet.running} of at most ${count(fleet.slots, 'job', 'jobs')}${describeAhead(situation)}.`,
      remedy: `Start more workers, or give the queue more slots (PUT /v1/queues/${queue}).`,
    };
  if (!isPublished && !fleet.isOnFallback)
    return {
      reason: 'not-published',
      since,
      detail: `Its message has not been sent yet${describeAhead(situation)}.`,
      remedy: isLed
        ? 'The relay of the leading worker sends it within seconds.'
        : 'No worker leads: see why none can take the leadership (docs/operations.md).',
    };
  return {
    reason: 'starts-next',
    since,
    detail: `A worker can take it${describeAhead(situation)}.`,
    remedy: 'Where it lasts for more than a minute, its message is lost: the reconciler sends another one.',
  };
}

function describeAhead({ ahead }: Situation): string {
  if (ahead === 0) return '';
  const number = ahead >= MAX_AHEAD ? `${MAX_AHEAD} or more jobs go` : count(ahead, 'job goes', 'jobs go');
  return `; ${number} before it`;
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}
