/**
 * The abort of one attempt: an `AbortController` whose signal is made when the handler asks for it. Most handlers never do, and the signal was a
 * twentieth of what a trivial job cost.
 */

/** Why an attempt is aborted. */
export type AbortReason = 'cancel' | 'timeout' | 'drain' | 'lost';

export class Abort {
  /** Who is to know when the attempt is aborted, while it runs. */
  onAbort: (() => void) | undefined;
  #reason: AbortReason | undefined;
  #controller: AbortController | undefined;

  /** Undefined until it is aborted. */
  get reason(): AbortReason | undefined {
    return this.#reason;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** The first reason counts. */
  abort(reason: AbortReason): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#controller?.abort(reason);
    this.onAbort?.();
  }
}
