// Before, during and after the load: one whole picture of each, and what was highest and usual in it. Pure.
// Guarantees: the same memory however long a phase lasts.
import type { Phase, Point } from './timeline.ts';
import type { Snapshot } from './watcher.ts';

export interface PhaseSummary {
  seconds: number;
  /** Before and after: the last one of those of which most was known. During the load: when most pods were there, and of those moments the busiest. */
  picture: Picture | undefined;
  jobsPerSecond: Figure;
  requestsPerSecond: Figure;
  /** Jobs that wait or run. */
  depth: Figure;
  consumers: Figure;
  /** By program. */
  databaseConnections: Record<string, Figure>;
}

export interface Picture {
  snapshot: Snapshot;
  point: Point;
  takenAt: Date;
}

/** Null where it was never known. */
export interface Figure {
  mean: number | null;
  most: number | null;
  last: number | null;
}

export class Phases {
  readonly #books = new Map<Phase, PhaseBook>();

  add(picture: Picture): void {
    const { phase } = picture.point;
    const book = this.#books.get(phase) ?? new PhaseBook();
    this.#books.set(phase, book);
    book.add(picture);
  }

  summary(phase: Phase): PhaseSummary | undefined {
    return this.#books.get(phase)?.summary();
  }
}

class PhaseBook {
  #first: number | undefined;
  #seconds = 0;
  #picture: Picture | undefined;
  readonly #jobs = new Tally();
  readonly #requests = new Tally();
  readonly #depth = new Tally();
  readonly #consumers = new Tally();
  readonly #connections = new Map<string, Tally>();

  add(picture: Picture): void {
    const { point } = picture;
    this.#first ??= point.seconds;
    this.#seconds = point.seconds - this.#first;
    if (this.#picture === undefined || isBetter(picture, this.#picture)) this.#picture = picture;
    this.#jobs.add(point.jobsPerSecond);
    this.#requests.add(point.requestsPerSecond);
    this.#depth.add(point.waiting === null || point.running === null ? null : point.waiting + point.running);
    this.#consumers.add(point.consumers);
    this.#addConnections(point.databaseConnections);
  }

  #addConnections(counts: Record<string, number> | null): void {
    if (counts === null) return;
    for (const program of Object.keys(counts))
      if (!this.#connections.has(program)) this.#connections.set(program, new Tally());
    for (const [program, tally] of this.#connections) tally.add(counts[program] ?? 0); // who is not listed has none
  }

  summary(): PhaseSummary {
    return {
      seconds: this.#seconds,
      picture: this.#picture,
      jobsPerSecond: this.#jobs.figure,
      requestsPerSecond: this.#requests.figure,
      depth: this.#depth.figure,
      consumers: this.#consumers.figure,
      databaseConnections: Object.fromEntries(
        [...this.#connections].map(([program, tally]) => [program, tally.figure]),
      ),
    };
  }
}

class Tally {
  #sum = 0;
  #count = 0;
  #most: number | null = null;
  #last: number | null = null;

  add(value: number | null): void {
    if (value === null) return;
    this.#sum += value;
    this.#count += 1;
    this.#most = Math.max(this.#most ?? value, value);
    this.#last = value;
  }

  get figure(): Figure {
    return { mean: this.#count === 0 ? null : this.#sum / this.#count, most: this.#most, last: this.#last };
  }
}

function isBetter({ point, snapshot }: Picture, than: Picture): boolean {
  return point.phase === 'load'
    ? isFuller(point, than.point)
    : countKnown(snapshot) >= countKnown(than.snapshot);
}

function countKnown({ pods, usage, autoscalers, queues, activity }: Snapshot): number {
  return [pods, usage, autoscalers, queues, activity].filter((reading) => reading?.ok === true).length;
}

/** More pods, or as many that are busier, or, where no pods are known, more jobs per second. */
function isFuller(point: Point, than: Point): boolean {
  const [mine, theirs] = [sizeOf(point), sizeOf(than)];
  const first = mine.findIndex((value, index) => value !== theirs[index]);
  return first >= 0 && (mine[first] ?? 0) > (theirs[first] ?? 0);
}

function sizeOf({ workloads, jobsPerSecond }: Point): number[] {
  const all = Object.values(workloads ?? {});
  return [
    all.reduce((sum, { ready }) => sum + ready, 0),
    all.reduce((sum, { cores }) => sum + (cores ?? 0), 0),
    jobsPerSecond ?? 0,
  ];
}
