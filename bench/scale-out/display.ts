// Where the live view goes: redrawn in place on a terminal, line by line elsewhere.
// Guarantees: the cursor is back where it belongs after `finish`, and nothing of the last view is lost.
import type { View } from './screen.ts';
import { renderLine, renderScreen } from './screen.ts';

/** What is needed of `process.stdout`. */
export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

/** Lines are for logs: one for so many samples, and one for each new phase. */
const SAMPLES_PER_LINE = 3;
const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
const CLEAR_BELOW = '\x1b[J';

export class Display {
  readonly #output: Output;
  #drawnRows = 0;
  #samples = 0;
  #phase: string | undefined;

  constructor(output: Output) {
    this.#output = output;
  }

  show(view: View): void {
    if (this.#output.isTTY) this.#redraw(view);
    else this.#print(view);
  }

  /** The last view stays where it is. */
  finish(): void {
    if (this.#output.isTTY) this.#output.write(SHOW_CURSOR);
    this.#drawnRows = 0;
  }

  #redraw(view: View): void {
    const { rows = 40, columns = 120 } = this.#output;
    const lines = renderScreen(view, { rows, columns });
    this.#output.write(`${HIDE_CURSOR}${this.#erase()}${lines.join('\n')}\n`); // one write, so that nothing flickers
    this.#drawnRows = lines.length;
  }

  /** What takes the last view off the terminal. */
  #erase(): string {
    const rows = this.#drawnRows;
    this.#drawnRows = 0;
    return rows === 0 ? '' : `\x1b[${rows}F${CLEAR_BELOW}`;
  }

  #print(view: View): void {
    const { phase } = view.point;
    if (phase !== this.#phase) this.#samples = 0;
    this.#phase = phase;
    if (this.#samples % SAMPLES_PER_LINE === 0) this.#output.write(`${renderLine(view)}\n`);
    this.#samples += 1;
  }
}
