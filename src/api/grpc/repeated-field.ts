/**
 * Takes a message of protobuf apart whose field 1 is a list of messages, without decoding these: an empty message takes two bytes on the wire and a
 * hundred in memory, so that they are counted before.
 *
 * Pure; allocates a view for each element, and no more of them than it was allowed. Other fields are skipped, as protobuf has it.
 * https://protobuf.dev/programming-guides/encoding/
 */
import { malformed } from './contract.ts';

const WireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;
const LIST_FIELD = 1;
/** Of a varint of 64 bits. */
const MAX_VARINT_BYTES = 10;
/** A length or a tag has 32 bits at most. */
const MAX_UINT32_BYTES = 5;

/** The elements, or undefined where there are more than `maxElements`. Throws `InvalidInput` where the bytes are no message. */
export function splitRepeatedField(bytes: Uint8Array, maxElements: number): Uint8Array[] | undefined {
  const elements: Uint8Array[] = [];
  const cursor = { at: 0 };
  while (cursor.at < bytes.length) {
    const tag = readVarint(bytes, cursor);
    const field = Math.floor(tag / 8);
    if (field === 0) throw malformed();
    const from = skip(bytes, cursor, tag % 8);
    if (field !== LIST_FIELD) continue;
    if (tag % 8 !== WireType.bytes) throw malformed();
    if (elements.length >= maxElements) return undefined;
    elements.push(bytes.subarray(from, cursor.at));
  }
  return elements;
}

/** Moves behind the value and returns where it begins. */
function skip(bytes: Uint8Array, cursor: { at: number }, wireType: number): number {
  switch (wireType) {
    case WireType.varint:
      skipVarint(bytes, cursor);
      return cursor.at;
    case WireType.fixed64:
      return advance(bytes, cursor, 8);
    case WireType.bytes:
      return advance(bytes, cursor, readVarint(bytes, cursor));
    case WireType.fixed32:
      return advance(bytes, cursor, 4);
    default:
      throw malformed();
  }
}

function advance(bytes: Uint8Array, cursor: { at: number }, length: number): number {
  const from = cursor.at;
  if (from + length > bytes.length) throw malformed();
  cursor.at = from + length;
  return from;
}

function readVarint(bytes: Uint8Array, cursor: { at: number }): number {
  let value = 0;
  for (let index = 0; index < MAX_UINT32_BYTES; index += 1) {
    const byte = bytes[cursor.at];
    if (byte === undefined) throw malformed();
    cursor.at += 1;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return value;
  }
  throw malformed();
}

function skipVarint(bytes: Uint8Array, cursor: { at: number }): void {
  for (let index = 0; index < MAX_VARINT_BYTES; index += 1) {
    const byte = bytes[cursor.at];
    if (byte === undefined) throw malformed();
    cursor.at += 1;
    if (byte < 0x80) return;
  }
  throw malformed();
}
