/**
 * Whether jobs of a queue went first lately, so that its deliveries are taken for permits at once: otherwise each claim would first find out that it
 * may not claim its own jobs. Only saves statements; what may be claimed is decided in Postgres.
 */
const LASTS_MS = 1_000;

export class PermitPeriod {
  #until = Number.NEGATIVE_INFINITY;

  get isOn(): boolean {
    return performance.now() < this.#until;
  }

  /** Jobs of the queue go first now. */
  renew(): void {
    this.#until = performance.now() + LASTS_MS;
  }
}
