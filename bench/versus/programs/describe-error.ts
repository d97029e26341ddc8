// What the contenders report of lost connections goes to the log of their process, a line each: it ends nothing.
export function describeError(error: unknown): void {
  process.stderr.write(`error: ${error instanceof Error ? error.message || error.name : String(error)}\n`);
}
