// What must happen, in memory and as simply as it can be said: the specification that the statements on a real Postgres are held against.
// Guarantees: it imports nothing of src, so that no mistake there is repeated here. One method for each act; it changes the jobs and says what the
// act has to answer. Times are milliseconds of a clock that only `advance` moves.

export type State =
  | 'scheduled'
  | 'held'
  | 'available'
  | 'running'
  | 'retryable'
  | 'completed'
  | 'cancelled'
  | 'discarded';

export interface ModelJob {
  id: string;
  type: string;
  queue: string;
  state: State;
  /** Attempts that count. */
  attempt: number;
  maxAttempts: number;
  fence: number;
  owner: string | null;
  claimNumber: number | null;
  runAt: number;
  startedAt: number | null;
  finishedAt: number | null;
  /** Null: the broker has not confirmed its message, or the message is spent. */
  publishedAt: number | null;
  /** The relay publishes it from then on where it is not published. */
  relayAt: number;
  isCancelRequested: boolean;
  /** Deaths of its worker. */
  crashes: number;
  errors: number;
  uniqueKey: string | null;
  /** The gates that it must pass before it is available, in their order. */
  gates: readonly string[];
  /** It was let through the gate of its order, and keeps that until it ends. `maybe`: it has ended since, and was retried. */
  hasOrder: 'yes' | 'no' | 'maybe';
}

export interface ModelWorker {
  /** Its advisory lock is held. */
  holdsLock: boolean;
  beatAt: number;
  /** The handlers of its claims up to this one have started. */
  startedUpTo: number;
  queues: readonly string[];
  types: readonly string[];
  /** By queue, when the latest job that was delivered to it was due. */
  delivered: Readonly<Record<string, number>>;
}

export interface NewModelJob {
  type: string;
  queue: string;
  maxAttempts: number;
  runAt?: number | undefined;
  delayMs?: number | undefined;
  uniqueKey?: string | undefined;
  idempotencyKey?: string | undefined;
  gates: readonly string[];
}

export interface Claimant {
  owner: string;
  claimNumber: number;
}

export type Ending = 'complete' | 'fail' | 'discard' | 'snooze' | 'stop' | 'crash' | 'handBack';

export interface ModelOutcome {
  id: string;
  fence: number;
  act: Ending;
  delayMs?: number;
  hasError: boolean;
}

export type Inserted = 'inserted' | 'duplicate' | 'known';

const FAST_PATH_MS = 2_000;
const RESERVED_MS = 5_000;
const SERVES_MS = 10_000;
const SILENT_MS = 60_000;
const MOST_ERRORS = 100;
/** Jobs of the groups of a queue that may be available at once. */
const TURNS = 16;
/** After so many deaths of its worker a job runs in a process of its own. */
const QUARANTINED_FROM = 2;

export class Model {
  now: number;
  readonly jobs = new Map<string, ModelJob>();
  readonly workers = new Map<string, ModelWorker>();
  readonly paused = new Set<string>();
  readonly pausedTypes = new Set<string>();
  /** How many jobs of a limit may be available or running at once. */
  readonly limits = new Map<string, number>();
  readonly idempotencyKeys = new Set<string>();
  areClaimsOpen = true;
  /** The jobs that acts have changed since somebody emptied it. */
  readonly touched = new Set<string>();

  constructor(now: number) {
    this.now = now;
  }

  all(isWanted: (job: ModelJob) => boolean): ModelJob[] {
    return [...this.jobs.values()].filter(isWanted);
  }

  // What people and programs do to jobs.

  /** One insert of several jobs; `ids` are what the database has drawn for them. */
  enqueue(
    given: readonly NewModelJob[],
    ids: readonly string[],
    { byRelay, isOneRequest }: { byRelay: boolean; isOneRequest: boolean },
  ): Inserted[] {
    const outcomes: Inserted[] = [];
    const isMine = new Map<string, boolean>();
    for (const [index, job] of given.entries()) {
      const { idempotencyKey: key } = job;
      let isKnown = false;
      if (key !== undefined) {
        // All jobs of one request share its key; of several requests with one key the first has it.
        isKnown = isOneRequest
          ? !(isMine.get(key) ?? !this.idempotencyKeys.has(key))
          : this.idempotencyKeys.has(key);
        isMine.set(key, !isKnown);
        this.idempotencyKeys.add(key);
      }
      outcomes.push(
        isKnown ? 'known' : this.#insert(job, ids[index] ?? '', { byRelay, together: given.length }),
      );
    }
    return outcomes;
  }

  #insert(
    job: NewModelJob,
    id: string,
    { byRelay, together }: { byRelay: boolean; together: number },
  ): Inserted {
    const { type, queue, maxAttempts, gates, uniqueKey = null } = job;
    if (this.holder(type, uniqueKey) !== undefined) return 'duplicate';
    const runAt = job.runAt ?? this.now + (job.delayMs ?? 0);
    this.jobs.set(id, {
      id,
      type,
      queue,
      maxAttempts,
      uniqueKey,
      runAt,
      gates,
      hasOrder: 'no',
      state: runAt > this.now ? 'scheduled' : dueState({ gates }),
      attempt: 0,
      fence: 0,
      owner: null,
      claimNumber: null,
      startedAt: null,
      finishedAt: null,
      publishedAt: null,
      relayAt: byRelay ? this.now : this.now + FAST_PATH_MS + together / 2,
      isCancelRequested: false,
      crashes: 0,
      errors: 0,
    });
    this.touched.add(id);
    return 'inserted';
  }

  /** The one live job that has the unique key. */
  holder(type: string, uniqueKey: string | null): ModelJob | undefined {
    if (uniqueKey === null) return undefined;
    return this.all((job) => job.type === type && job.uniqueKey === uniqueKey && !hasEnded(job))[0];
  }

  cancel(id: string): 'cancelled' | 'running' | null {
    const job = this.jobs.get(id);
    if (job === undefined || hasEnded(job)) return null;
    this.touched.add(id);
    job.isCancelRequested = true;
    if (job.state === 'running') return 'running';
    this.#end(job, 'cancelled');
    return 'cancelled';
  }

  /** `unique`: another live job has its key by now. */
  retry(id: string): 'retried' | 'unique' | null {
    const job = this.jobs.get(id);
    if (job === undefined || !['retryable', 'cancelled', 'discarded'].includes(job.state)) return null;
    const holder = this.holder(job.type, job.uniqueKey);
    if (holder !== undefined && holder !== job) return 'unique';
    Object.assign(this.#touch(job), {
      state: dueState(job),
      hasOrder: hasEnded(job) ? 'maybe' : job.hasOrder,
      runAt: this.now,
      finishedAt: null,
      isCancelRequested: false,
      publishedAt: null,
      relayAt: this.now + FAST_PATH_MS,
      maxAttempts: Math.max(job.maxAttempts, job.attempt + 1),
      fence: job.fence + 1,
    });
    return 'retried';
  }

  /** Whether it waits for its time, which comes now. */
  run(id: string, runAt = this.now): boolean {
    const job = this.jobs.get(id);
    if (job === undefined || !['scheduled', 'retryable'].includes(job.state)) return false;
    Object.assign(this.#touch(job), {
      state: dueState(job),
      runAt,
      publishedAt: null,
      relayAt: this.now + FAST_PATH_MS,
      fence: job.fence + 1,
    });
    return true;
  }

  /** Whether it waits: it gets this time. */
  editTime(id: string, runAt: number): boolean {
    const job = this.jobs.get(id);
    if (job === undefined || hasEnded(job) || job.state === 'running' || !this.areClaimsOpen) return false;
    if (runAt <= this.now && this.run(id, runAt)) return true;
    this.#touch(job).runAt = runAt;
    if (runAt <= this.now) return true;
    const hasOrder = job.startedAt === null ? 'no' : job.hasOrder; // one that has not started lets the others go on
    Object.assign(job, { state: 'scheduled', hasOrder, publishedAt: null, fence: job.fence + 1 });
    return true;
  }

  /** Whether it does not run: it is gone. */
  delete(id: string): boolean {
    const job = this.jobs.get(id);
    if (job === undefined || job.state === 'running' || !this.areClaimsOpen) return false;
    this.jobs.delete(this.#touch(job).id);
    return true;
  }

  prune(keptMs: number): number {
    const old = this.all((job) => hasEnded(job) && (job.finishedAt ?? this.now) < this.now - keptMs);
    for (const { id } of old) this.jobs.delete(this.#touch({ id }).id);
    return old.length;
  }

  // Gates.

  /** All their gates have let them through. */
  admit(ids: readonly string[]): void {
    for (const job of this.#these(ids))
      Object.assign(this.#touch(job), {
        state: 'available',
        hasOrder: 'yes',
        publishedAt: null,
        relayAt: this.now + FAST_PATH_MS,
      });
  }

  /** How many more jobs the gate of a limit or of a group lets through. */
  roomAt(gate: string): number {
    const [kind, name = ''] = gate.split(':');
    if (kind === 'limit') {
      const inUse = this.all(
        ({ state, gates }) => gates.includes(gate) && (state === 'available' || state === 'running'),
      );
      return (this.limits.get(name) ?? Number.POSITIVE_INFINITY) - inUse.length;
    }
    if (kind !== 'group') return 0;
    const ofGroups = ({ state, queue, gates }: ModelJob) =>
      state === 'available' && queue === name && gates.some((other) => other.startsWith('group:'));
    return TURNS - this.all(ofGroups).length;
  }

  /** Whether no other job of its order may start. */
  keepsOrder(job: ModelJob): ModelJob['hasOrder'] {
    return hasEnded(job) ? 'no' : job.hasOrder;
  }

  // Attempts.

  mayClaim(job: ModelJob, types: readonly string[]): boolean {
    return (
      this.areClaimsOpen &&
      job.state === 'available' &&
      types.includes(job.type) &&
      !this.paused.has(job.queue) &&
      !this.pausedTypes.has(job.type)
    );
  }

  /** The jobs among these that are claimed. */
  claim(ids: readonly string[], claimant: Claimant, types: readonly string[]): ModelJob[] {
    const claimed = this.#these(ids).filter((job) => this.mayClaim(job, types));
    for (const job of claimed) {
      this.#start(job, claimant);
      job.publishedAt ??= this.now;
    }
    return claimed;
  }

  /** Without messages: the oldest of each queue. */
  claimNext(
    wanted: readonly { queue: string; slots: number }[],
    { except, types, ...claimant }: Claimant & { except: readonly string[]; types: readonly string[] },
  ): ModelJob[] {
    const claimed = wanted.flatMap(({ queue, slots }) =>
      this.all((job) => job.queue === queue && this.mayClaim(job, types) && !except.includes(job.id))
        .sort((one, other) => one.runAt - other.runAt || Number(one.id) - Number(other.id))
        .slice(0, slots),
    );
    for (const job of claimed) this.#start(job, claimant);
    return claimed;
  }

  #start(job: ModelJob, { owner, claimNumber }: Claimant): void {
    const { attempt, fence } = this.#touch(job);
    Object.assign(job, {
      state: 'running',
      attempt: attempt + 1,
      fence: fence + 1,
      owner,
      claimNumber,
      startedAt: this.now,
    });
  }

  /** Its worker has not heard of its claim, and makes it anew. */
  reclaim(unheard: readonly { id: string; fence: number }[], { owner, claimNumber }: Claimant): ModelJob[] {
    const claimed = unheard.flatMap(({ id, fence }) =>
      this.#these([id]).filter(
        (job) => job.state === 'running' && job.fence === fence && job.owner === owner,
      ),
    );
    for (const job of claimed)
      Object.assign(this.#touch(job), { fence: job.fence + 1, claimNumber, startedAt: this.now });
    return claimed;
  }

  /** The state after it; undefined where the attempt has lost its claim. */
  record({ id, fence, act, delayMs, hasError }: ModelOutcome, owners: readonly string[]): State | undefined {
    const job = this.jobs.get(id);
    if (job === undefined || !isHeldBy(job, { fence, owners })) return undefined;
    this.#touch(job);
    if (hasError) job.errors = Math.min(job.errors + 1, MOST_ERRORS);
    if (act === 'snooze' || act === 'handBack') job.attempt -= 1;
    if (act === 'snooze' || act === 'fail') Object.assign(job, { crashes: 0, publishedAt: null });
    if (act === 'crash') job.crashes += 1;
    if (delayMs !== undefined) job.runAt = this.now + delayMs;
    const next = {
      complete: 'completed',
      discard: 'discarded',
      crash: 'discarded',
      stop: 'cancelled',
      fail: 'retryable',
      snooze: 'scheduled',
      handBack: 'available',
    } as const;
    const state = next[act];
    if (isEnd(state)) this.#end(job, state);
    else if (job.isCancelRequested) this.#end(job, 'cancelled');
    else job.state = state === 'available' ? dueState(job) : state;
    return job.state;
  }

  // Death of workers.

  isLockFree(owner: string): boolean {
    return this.areClaimsOpen && this.workers.get(owner)?.holdsLock !== true;
  }

  hasStoppedBeating(owner: string): boolean {
    const worker = this.workers.get(owner);
    return this.areClaimsOpen && worker !== undefined && worker.beatAt < this.now - SILENT_MS;
  }

  /** The owners of running jobs that show no life. */
  silentOwners(): string[] {
    const owners = new Set(this.all(({ state }) => state === 'running').map(({ owner }) => owner ?? ''));
    return [...owners].filter((owner) => this.isLockFree(owner) || this.hasStoppedBeating(owner));
  }

  /** The jobs among these orphans whose owner is dead go to the claimant. */
  takeOver(
    orphans: readonly { id: string; owner: string }[],
    { types, ...claimant }: Claimant & { types: readonly string[] },
  ): ModelJob[] {
    const owners = orphans.map(({ owner }) => owner);
    const taken = this.#these(orphans.map(({ id }) => id)).filter(
      ({ state, owner, type }) =>
        state === 'running' &&
        owner !== null &&
        owner !== claimant.owner &&
        owners.includes(owner) &&
        types.includes(type) &&
        this.isLockFree(owner),
    );
    for (const job of taken) {
      this.#crash(job);
      job.fence += 1;
      Object.assign(job, { owner: claimant.owner, claimNumber: claimant.claimNumber, startedAt: this.now });
      if (job.isCancelRequested) this.#end(job, 'cancelled');
      else job.attempt += 1;
    }
    return taken;
  }

  /** Gives back the jobs of those owners who are dead indeed. */
  rescue(owners: readonly string[]): ModelJob[] {
    const orphans = this.all(
      ({ state, owner }) =>
        state === 'running' &&
        owner !== null &&
        owners.includes(owner) &&
        (this.isLockFree(owner) || this.hasStoppedBeating(owner)),
    );
    for (const job of orphans) {
      this.#crash(job);
      Object.assign(job, { state: dueState(job), publishedAt: null, relayAt: this.now });
      if (job.isCancelRequested) this.#end(job, 'cancelled');
    }
    return orphans;
  }

  /** The attempt counts only if its handler is known to have started; the attempts that are left stay as many. */
  #crash(job: ModelJob): void {
    this.#touch(job).attempt -= 1;
    if (job.crashes >= QUARANTINED_FROM) return; // the job was not in the process that has died
    const startedUpTo = this.workers.get(job.owner ?? '')?.startedUpTo ?? -1;
    const charge = job.claimNumber !== null && startedUpTo >= job.claimNumber ? 1 : 0;
    job.attempt += charge;
    job.maxAttempts += charge;
    job.crashes += 1;
    job.errors = Math.min(job.errors + 1, MOST_ERRORS);
  }

  // A crash of Postgres: the claims are undone (each job is as it was), and nobody claims.

  undo(before: readonly ModelJob[]): void {
    for (const job of before) this.jobs.set(this.#touch(job).id, { ...job });
  }

  /** Those of the claims that are in force then. */
  restore(
    claims: readonly { id: string; fence: number; claimNumber: number }[],
    owners: readonly string[],
  ): { id: string; isRestored: boolean }[] {
    const owner = owners.at(-1) ?? '';
    return claims.flatMap(({ id, fence, claimNumber }): { id: string; isRestored: boolean }[] => {
      const job = this.jobs.get(id);
      if (job === undefined) return [];
      if (isHeldBy(job, { fence, owners })) {
        this.#touch(job).owner = owner;
        return [{ id, isRestored: false }];
      }
      if (job.state !== 'available' || job.fence !== fence - 1) return [];
      this.#start(job, { owner, claimNumber });
      return [{ id, isRestored: true }];
    });
  }

  // Messages.

  /** Due jobs, the earliest first. */
  due(): ModelJob[] {
    return this.all(
      ({ state, runAt }) => (state === 'scheduled' || state === 'retryable') && runAt <= this.now,
    ).sort((one, other) => one.runAt - other.runAt);
  }

  promote(ids: readonly string[], { byRelay }: { byRelay: boolean }): void {
    for (const job of this.#these(ids))
      Object.assign(this.#touch(job), {
        state: dueState(job),
        relayAt: this.now + (byRelay ? 0 : FAST_PATH_MS),
      });
  }

  /** What the relay may publish: jobs that a living worker has told that it runs. */
  unpublished(): ModelJob[] {
    const living = [...this.workers.values()].filter(({ beatAt }) => beatAt > this.now - SERVES_MS);
    return this.all(
      ({ state, publishedAt, relayAt, queue, type }) =>
        state === 'available' &&
        publishedAt === null &&
        relayAt <= this.now &&
        !this.pausedTypes.has(type) &&
        living.some(({ queues, types }) => queues.includes(queue) && types.includes(type)),
    );
  }

  reserve(ids: readonly string[]): void {
    for (const job of this.#these(ids)) this.#touch(job).relayAt = this.now + RESERVED_MS;
  }

  mark(jobs: readonly { id: string; fence: number }[]): void {
    for (const { id, fence } of jobs) {
      const job = this.jobs.get(id);
      if (job?.state !== 'available' || job.fence !== fence) continue;
      this.#touch(job).publishedAt ??= this.now;
    }
  }

  /** Their ids go to the end of the queue. */
  renew(ids: readonly string[]): ModelJob[] {
    const waiting = this.#these(ids).filter(({ state }) => state === 'available');
    for (const job of waiting) if (job.publishedAt !== null) this.#touch(job).publishedAt = this.now;
    return waiting;
  }

  spend(
    ids: readonly string[],
    { repeatAfterMs, atMostMs }: { repeatAfterMs: number; atMostMs: number },
  ): void {
    for (const job of this.#these(ids)) {
      if (job.state !== 'available' && job.state !== 'running') continue;
      const { fence, attempt } = this.#touch(job);
      job.publishedAt = null;
      job.relayAt = this.now + Math.min(atMostMs, repeatAfterMs * 2 ** Math.min(fence - attempt, 16));
      if (job.state === 'available' && this.areClaimsOpen) job.fence += 1;
    }
  }

  /** Messages that were overtaken by ten seconds, or by more where that was so before. */
  unpublishOvertaken(): number {
    return this.#leaveToRelay(({ queue, runAt, publishedAt, fence, attempt }) => {
      const passed = this.#watermark(queue);
      return (
        runAt < passed && publishedAt !== null && publishedAt < passed - lostAfterMs(10_000, fence - attempt)
      );
    });
  }

  #watermark(queue: string): number {
    const times = [...this.workers.values()].map(
      ({ delivered }) => delivered[queue] ?? Number.NEGATIVE_INFINITY,
    );
    return Math.max(Number.NEGATIVE_INFINITY, ...times.filter((time) => time <= this.now));
  }

  /** Messages of empty queues that were published five seconds ago, or longer where that was so before. */
  unpublishUndelivered(queues: readonly string[]): number {
    return this.#leaveToRelay(
      ({ queue, publishedAt, fence, attempt }) =>
        queues.includes(queue) &&
        publishedAt !== null &&
        publishedAt < this.now - lostAfterMs(5_000, fence - attempt),
    );
  }

  #leaveToRelay(isLost: (job: ModelJob) => boolean): number {
    if (!this.areClaimsOpen) return 0;
    const lost = this.all((job) => job.state === 'available' && isLost(job));
    for (const job of lost)
      Object.assign(this.#touch(job), { publishedAt: null, relayAt: this.now, fence: job.fence + 1 });
    return lost.length;
  }

  #these(ids: readonly string[]): ModelJob[] {
    return [...new Set(ids)].flatMap((id) => this.jobs.get(id) ?? []);
  }

  #end(job: ModelJob, state: State): void {
    Object.assign(job, { state, finishedAt: this.now });
  }

  #touch<T extends { id: string }>(job: T): T {
    this.touched.add(job.id);
    return job;
  }
}

function isEnd(state: State): boolean {
  return state === 'completed' || state === 'cancelled' || state === 'discarded';
}

/** Of a job whose time has come. */
function dueState({ gates }: Pick<ModelJob, 'gates'>): State {
  return gates.length > 0 ? 'held' : 'available';
}

export function hasEnded({ state }: ModelJob): boolean {
  return isEnd(state);
}

function isHeldBy(job: ModelJob, { fence, owners }: { fence: number; owners: readonly string[] }): boolean {
  return job.state === 'running' && job.fence === fence && owners.includes(job.owner ?? '');
}

/** Twice as long for each message before that no attempt has used, up to a minute. */
function lostAfterMs(firstMs: number, unused: number): number {
  return Math.min(60_000, firstMs * 2 ** Math.min(unused, 16));
}
