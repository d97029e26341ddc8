/**
 * The states of a job, and everything that moves it from one to another: the one table from which the guards in SQL, the sets of states, the types and
 * docs/states.md derive.
 *
 * A new state or act is a line here; what does not fit it any more, the compiler and the tests name. Data only, no behaviour.
 */

interface State {
  meaning: string;
  /** Live: it runs, or may still run. A live job holds its unique key. */
  isLive: boolean;
}

export const states = {
  scheduled: { isLive: true, meaning: 'waits for its time' },
  held: {
    isLive: true,
    meaning: 'is due, and may not be made available yet: a limit, its group or its order holds it',
  },
  available: { isLive: true, meaning: 'can be claimed by any worker' },
  running: { isLive: true, meaning: 'a worker has claimed it' },
  retryable: { isLive: true, meaning: 'has failed, and waits for the time of its next attempt' },
  completed: { isLive: false, meaning: 'its handler has returned' },
  cancelled: { isLive: false, meaning: 'was cancelled, by a person or by its handler' },
  discarded: { isLive: false, meaning: 'has failed at its last attempt' },
} as const satisfies Record<string, State>;

export type JobState = keyof typeof states;
/** The states that a job ends in. `retry` is the only way out. */
export type EndState = {
  [Name in JobState]: (typeof states)[Name]['isLive'] extends true ? never : Name;
}[JobState];

export const jobStates = Object.keys(states) as JobState[];
export const liveStates: readonly JobState[] = jobStates.filter((state) => states[state].isLive);
export const endStates: readonly EndState[] = jobStates.filter(
  (state) => !states[state].isLive,
) as EndState[];

export function isEnd(state: JobState): state is EndState {
  return endStates.includes(state as EndState);
}

interface Transition {
  meaning: string;
  /** Nowhere: the job is new. */
  from: readonly JobState[];
  /** Undefined: it stays where it is. */
  to?: JobState;
  /** Its row is gone, and all that was kept with it. */
  deletes?: true;
  /** The job is cancelled instead where that was asked for while it ran. */
  yieldsToCancel?: true;
  /** What is added to the attempts that count. Defaults to 0. */
  attempt?: 1 | -1;
  /** Its owner has died. The lost attempt counts if its handler had started; then the job gets one attempt more, so that it has as many left. */
  afterCrash?: true;
  /** Deaths of its process: one more, or forgotten because an attempt has come to an orderly end. Defaults to as they were. */
  crashes?: 'counted' | 'forgotten';
  /** It goes to `held` instead where the job has gates: whoever may run again must pass them again. */
  passesGates?: true;
  /** Whatever was known of the job under an older fence is refused or ignored from now on. */
  raisesFence?: true;
}

export const transitions = {
  enqueue: { from: [], to: 'available', meaning: 'it is inserted, and due' },
  schedule: { from: [], to: 'scheduled', meaning: 'it is inserted, with a time to come' },
  hold: { from: [], to: 'held', meaning: 'it is inserted, due, and must pass its gates' },
  admit: { from: ['held'], to: 'available', meaning: 'its gates let it through' },
  promote: {
    from: ['scheduled', 'retryable'],
    to: 'available',
    passesGates: true,
    meaning: 'its time has come',
  },
  claim: { from: ['available'], to: 'running', attempt: 1, raisesFence: true, meaning: 'a worker takes it' },
  restore: {
    from: ['available'],
    to: 'running',
    attempt: 1,
    raisesFence: true,
    meaning: 'its worker takes back a claim that a crash of Postgres has undone, under the same fence',
  },
  reclaim: {
    from: ['running'],
    raisesFence: true,
    meaning: 'its worker takes it again: the answer to the claim was lost',
  },
  complete: { from: ['running'], to: 'completed', meaning: 'its handler has returned' },
  fail: {
    from: ['running'],
    to: 'retryable',
    yieldsToCancel: true,
    crashes: 'forgotten',
    meaning: 'its handler has failed, and attempts are left',
  },
  discard: { from: ['running'], to: 'discarded', meaning: 'its handler has failed at the last attempt' },
  snooze: {
    from: ['running'],
    to: 'scheduled',
    yieldsToCancel: true,
    attempt: -1,
    crashes: 'forgotten',
    meaning: 'its handler asks to be run later',
  },
  stop: {
    from: ['running'],
    to: 'cancelled',
    meaning: 'its handler has cancelled it, or has let go of a cancelled job',
  },
  crash: {
    from: ['running'],
    to: 'discarded',
    crashes: 'counted',
    meaning: 'it has taken down a process that was its own',
  },
  handBack: {
    from: ['running'],
    to: 'available',
    passesGates: true,
    yieldsToCancel: true,
    attempt: -1,
    meaning: 'its worker stops before it has ended',
  },
  takeOver: {
    from: ['running'],
    to: 'running',
    yieldsToCancel: true,
    attempt: 1,
    afterCrash: true,
    raisesFence: true,
    meaning: 'its owner has died, and another worker has its message',
  },
  rescue: {
    from: ['running'],
    to: 'available',
    passesGates: true,
    yieldsToCancel: true,
    afterCrash: true,
    meaning: 'its owner has died, and no message tells of it',
  },
  cancel: {
    from: ['scheduled', 'held', 'available', 'retryable'],
    to: 'cancelled',
    meaning: 'a person cancels it while it waits',
  },
  edit: {
    from: ['scheduled', 'held', 'available', 'retryable'],
    meaning: 'a person changes it while it waits',
  },
  replace: {
    from: ['scheduled', 'held', 'available', 'retryable'],
    meaning: 'a later enqueue with its unique key replaces its arguments, or merges them',
  },
  postpone: {
    from: ['scheduled', 'held', 'available', 'retryable'],
    to: 'scheduled',
    raisesFence: true,
    meaning:
      'it gets a time to come: from a person, or from a later enqueue with its unique key, together with other arguments',
  },
  expire: {
    from: ['scheduled', 'held', 'available'],
    to: 'discarded',
    meaning: 'it has not started by the time at which it expires',
  },
  overrun: {
    from: ['scheduled', 'held', 'available', 'retryable'],
    to: 'discarded',
    meaning: 'its time over all attempts has run out while it waits',
  },
  askToCancel: { from: ['running'], meaning: 'a person cancels it while it runs: its worker is told' },
  retry: {
    from: ['retryable', 'cancelled', 'discarded'],
    to: 'available',
    passesGates: true,
    raisesFence: true,
    meaning: 'a person lets it run again, with one attempt more where none is left',
  },
  run: {
    from: ['scheduled', 'retryable'],
    to: 'available',
    passesGates: true,
    raisesFence: true,
    meaning: 'a person has it run before its time',
  },
  move: {
    from: ['scheduled', 'retryable'],
    raisesFence: true,
    meaning: 'a person moves it to another queue while it waits for its time',
  },
  moveDue: {
    from: ['held', 'available'],
    to: 'available',
    passesGates: true,
    raisesFence: true,
    meaning:
      'a person moves it to another queue: its old message is worth nothing, and it passes the gates of the new queue',
  },
  delete: {
    from: ['scheduled', 'held', 'available', 'retryable', 'completed', 'cancelled', 'discarded'],
    deletes: true,
    meaning: 'a person deletes it',
  },
  spend: {
    from: ['available', 'running'],
    raisesFence: true,
    meaning: 'its message was acknowledged without a claim; the fence rises where it waits',
  },
} as const satisfies Record<string, Transition>;

export type Act = keyof typeof transitions;
type Entry = (typeof transitions)[Act];

/** What people do to jobs that exist, to one or to many. */
export const personsActs = ['retry', 'cancel', 'delete', 'run', 'edit'] as const satisfies Act[];
export type PersonsAct = (typeof personsActs)[number];
/** What is done to all that match a filter: to be encrypted with the current key moves no job. */
export const manyActions = [...personsActs, 'reencrypt'] as const;

/** The acts that move a job. */
export type MovingAct = {
  [Name in Act]: (typeof transitions)[Name] extends { to: JobState } ? Name : never;
}[Act];
/** The acts by which an attempt ends: what its worker records. */
export type RecordedAct = Exclude<
  {
    [Name in MovingAct]: (typeof transitions)[Name] extends { from: readonly ['running'] } ? Name : never;
  }[MovingAct],
  'takeOver' | 'rescue'
>;

/** The line of an act, with what it leaves out. */
export function transition(act: Act): Transition {
  return transitions[act] satisfies Entry;
}

/** Where the act brings a job. */
export function target(act: MovingAct): JobState {
  return transitions[act].to;
}

/** The states in which a job waits for its time. */
export const timedStates: readonly JobState[] = transitions.promote.from;
/** What a worker can record of an attempt, for counters that start at 0. */
export const recordedActs: readonly RecordedAct[] = [
  'complete',
  'fail',
  'discard',
  'snooze',
  'stop',
  'crash',
  'handBack',
];
