/**
 * Whether this code runs in an isolate. Known to every copy of this package in the thread or process: the application may have another one than the worker.
 */
const MARK = Symbol.for('warren.isolate');

export function markIsolate(): void {
  Object.defineProperty(globalThis, MARK, { value: true });
}

export function isInIsolate(): boolean {
  return MARK in globalThis;
}
