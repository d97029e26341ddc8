// The kernel's monotonic clock in milliseconds: the same for every process of the machine, and nobody can set it.

export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}
