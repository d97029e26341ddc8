/**
 * Where a command writes: standard output and standard error, with what is known of them. Nothing here knows what is written.
 *
 * Guarantees: a screen that is drawn again and again does not flicker, for it is overwritten line by line in one write, and is left as it was found.
 */
import type { WriteStream } from 'node:tty';
import type { TextOptions } from './text-table.ts';

export interface Terminal {
  out: NodeJS.WritableStream & Partial<Pick<WriteStream, 'isTTY' | 'columns' | 'rows' | 'hasColors'>>;
  err: NodeJS.WritableStream;
  input: NodeJS.ReadStream;
  /** Aborts when the person has had enough (Ctrl-C, SIGTERM). Without a call, these signals end the process as usual. */
  stopping: () => AbortSignal;
  setExitCode: (code: number) => void;
}

const ESCAPE = '\u001b[';
/** The terminal shows what is between these at once, if it knows them. */
const [BEGIN, END] = [`${ESCAPE}?2026h`, `${ESCAPE}?2026l`];
const [ENTER, LEAVE] = [`${ESCAPE}?1049h${ESCAPE}?25l`, `${ESCAPE}?25h${ESCAPE}?1049l`];

/** Colours only on a terminal; NO_COLOR and FORCE_COLOR are heard by Node itself. */
export function textOptions({ out }: Terminal): TextOptions {
  return {
    width: out.isTTY === true ? out.columns : undefined,
    hasColors: out.hasColors?.() === true,
  };
}

/** A whole screen. On anything but a terminal each drawing follows the one before. */
export class Screen implements Disposable {
  readonly #out: Terminal['out'];
  #isEntered = false;

  constructor({ out }: Terminal) {
    this.#out = out;
  }

  draw(text: string): void {
    if (this.#out.isTTY !== true) {
      this.#out.write(`${text}\n`);
      return;
    }
    if (!this.#isEntered) this.#out.write(ENTER);
    this.#isEntered = true;
    const lines = text.split('\n').slice(0, this.#out.rows);
    const drawn = lines.map((line) => `${line}${ESCAPE}K`).join('\r\n');
    this.#out.write(`${BEGIN}${ESCAPE}H${drawn}${ESCAPE}J${END}`);
  }

  [Symbol.dispose](): void {
    if (this.#isEntered) this.#out.write(LEAVE);
    this.#isEntered = false;
  }
}
