/**
 * W3C Baggage (https://www.w3.org/TR/baggage/): what the header may look like, and the entries that it stands for. Pure.
 *
 * Guarantees: what is not well-formed, or more than the specification has everybody pass on, is left out as a whole: a part of it would say
 * something else.
 */

export interface BaggageItem {
  value: string;
  /** The properties behind the value, as they stand in the header. */
  properties: string | undefined;
}

const MAX_CHARACTERS = 8_192;
const MAX_ENTRIES = 64;
const PRINTABLE = /^[\t\x20-\x7e]+$/;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const VALUE = /^[^\s",;\\]*$/;

/** The header, or undefined where it is malformed or too long. */
export function parseBaggage(text: string | undefined): string | undefined {
  return text !== undefined && readBaggage(text) !== undefined ? text : undefined;
}

/** The entries of a header by their keys, decoded; undefined where it is malformed or too long. */
export function readBaggage(text: string): Map<string, BaggageItem> | undefined {
  if (text.length > MAX_CHARACTERS || !PRINTABLE.test(text)) return undefined;
  const entries = text.split(',');
  if (entries.length > MAX_ENTRIES) return undefined;
  const items = new Map<string, BaggageItem>();
  for (const entry of entries) {
    const [pair = '', ...properties] = entry.split(';').map((part) => part.trim());
    const [key, value] = readPair(pair) ?? [];
    if (key === undefined || value === undefined || !properties.every(isProperty)) return undefined;
    items.set(key, { value, properties: properties.length === 0 ? undefined : properties.join(';') });
  }
  return items;
}

function readPair(pair: string): [key: string, value: string] | undefined {
  const [key = '', value] = split(pair);
  if (!TOKEN.test(key) || value === undefined || !VALUE.test(value)) return undefined;
  try {
    return [decodeURIComponent(key), decodeURIComponent(value)];
  } catch {
    return undefined; // a percent sign that stands for nothing
  }
}

function isProperty(property: string): boolean {
  const [key = '', value = ''] = split(property);
  return TOKEN.test(key) && VALUE.test(value);
}

/** At the first equals sign, where there is one. */
function split(text: string): string[] {
  const at = text.indexOf('=');
  return at === -1 ? [text] : [text.slice(0, at).trimEnd(), text.slice(at + 1).trimStart()];
}

/** As a header; undefined where there are none, or more than one may have. */
export function writeBaggage(items: Iterable<[string, BaggageItem]>): string | undefined {
  const entries = Array.from(items, ([key, { value, properties }]) => {
    const entry = `${encodeURIComponent(key.toWellFormed())}=${encodeURIComponent(value.toWellFormed())}`;
    return properties === undefined ? entry : `${entry};${properties}`;
  });
  return parseBaggage(entries.join(','));
}
