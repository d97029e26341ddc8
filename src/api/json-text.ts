/**
 * What can be told of a JSON text before it is parsed: how many values it has, and where the elements of its list begin and end.
 *
 * A parsed value takes up to forty times the memory of its text, and parsing cannot be interrupted; so values are counted, and a long list is taken
 * apart, on the bytes. Allocates nothing per value. Whether the text is JSON at all is found out by those who parse the pieces: the pieces and what
 * is left around them are JSON if and only if the whole is.
 */
import { nextTurn } from '#shared/base/slices.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
/** Of JSON: space, tab, line feed, carriage return. */
const WHITE_SPACE = new Set([0x20, 0x09, 0x0a, 0x0d]);

/** Bytes that are scanned in one turn of the event loop: a few milliseconds. */
const SCAN_BYTES = 1_048_576;

/** Values in the text, containers included, an empty one as two; counted up to one more than `maxValues`. */
export function countValues(bytes: Uint8Array, maxValues: number): number {
  let values = 1;
  for (let at = 0; at < bytes.length && values <= maxValues; at += 1) {
    const byte = bytes[at];
    if (byte === QUOTE) at = endOfString(bytes, at);
    else if (byte === COMMA || byte === OPEN_LIST || byte === OPEN_OBJECT) values += 1;
  }
  return values;
}

/** An element of the list. */
export interface Element {
  bytes: Uint8Array;
  values: number;
}

export interface TakenApart {
  /** The text with `[]` in place of the list. */
  frame: Uint8Array;
  elements: Element[];
  /** Values in all. */
  values: number;
}

export interface TakeApartLimits {
  elements: number;
  /** Of one element. */
  elementValues: number;
  /** In all. */
  values: number;
}

/** The text exceeds a limit; `second-list`: its outermost container has another list. */
export class TooMuch extends Error {
  override readonly name = 'TooMuch';
  readonly what: keyof TakeApartLimits | 'second-list';
  /** The element where it was found. */
  readonly index: number;

  constructor(what: TooMuch['what'], index: number) {
    super(`more ${what} than allowed`);
    this.what = what;
    this.index = index;
  }
}

/** Takes apart the list that the outermost container has, in slices. Throws `TooMuch` as soon as a limit is exceeded. */
export async function takeApart(bytes: Uint8Array, limits: TakeApartLimits): Promise<TakenApart> {
  const elements: Element[] = [];
  const list = { from: bytes.length, to: bytes.length, isOpen: false };
  let elementFrom = 0;
  let valuesBefore = 0;
  let values = 1;
  let depth = 0;
  let turnAt = SCAN_BYTES;

  const endElement = (to: number) => {
    if (elements.length >= limits.elements) throw new TooMuch('elements', elements.length);
    elements.push({ bytes: bytes.subarray(elementFrom, to), values: values - valuesBefore });
    elementFrom = to + 1;
    valuesBefore = values;
  };

  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = endOfString(bytes, at);
    } else if (byte === COMMA) {
      if (list.isOpen && depth === 2) endElement(at);
      values += 1;
    } else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      values += 1;
      depth += 1;
      if (depth === 2 && byte === OPEN_LIST) {
        if (list.from < at) throw new TooMuch('second-list', 0);
        list.from = elementFrom = at + 1;
        list.isOpen = true;
        valuesBefore = values - 1;
      }
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) {
      if (list.isOpen && depth === 2) {
        if (elements.length > 0 || !isBlank(bytes, elementFrom, at)) endElement(at);
        list.to = at;
        list.isOpen = false;
      }
      depth -= 1;
    }
    if (values > limits.values) throw new TooMuch('values', elements.length);
    if (list.isOpen && values - valuesBefore > limits.elementValues)
      throw new TooMuch('elementValues', elements.length);
    if (at < turnAt) continue;
    turnAt = at + SCAN_BYTES;
    await nextTurn();
  }
  return { frame: Buffer.concat([bytes.subarray(0, list.from), bytes.subarray(list.to)]), elements, values };
}

/** The place of its closing quote; the end of the text where it has none. */
function endOfString(bytes: Uint8Array, openedAt: number): number {
  for (let at = openedAt + 1; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) at += 1;
  }
  return bytes.length;
}

function isBlank(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if (!WHITE_SPACE.has(bytes[at] as number)) return false;
  return true;
}
