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
const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const VALUE = '[!#-+\\x2d-:<-\\x5b\\x5d-~]*';
const SPACE = '[ \\t]*';
const ENTRY = new RegExp(
  `^${SPACE}(?<key>${TOKEN})${SPACE}=${SPACE}(?<value>${VALUE})(?<properties>(?:${SPACE};${SPACE}${TOKEN}(?:${SPACE}=${SPACE}${VALUE})?)*)${SPACE}$`,
);

/** The header, or undefined where it is malformed or too long. */
export function parseBaggage(text: string | undefined): string | undefined {
  return text !== undefined && readBaggage(text) !== undefined ? text : undefined;
}

/** The entries of a header by their keys, decoded; undefined where it is malformed or too long. */
export function readBaggage(text: string): Map<string, BaggageItem> | undefined {
  if (text.length > MAX_CHARACTERS) return undefined;
  const entries = text.split(',');
  if (entries.length > MAX_ENTRIES) return undefined;
  const items = new Map<string, BaggageItem>();
  for (const entry of entries) {
    const { key = '', value = '', properties = '' } = ENTRY.exec(entry)?.groups ?? {};
    const decoded = { key: decode(key), value: decode(value) };
    if (!decoded.key || decoded.value === undefined) return undefined;
    const said = properties.replace(/^[ \t]*;[ \t]*/, '');
    items.set(decoded.key, { value: decoded.value, properties: said === '' ? undefined : said });
  }
  return items;
}

/** As a header; undefined where there are none, or more than one may have. */
export function writeBaggage(items: Iterable<[string, BaggageItem]>): string | undefined {
  const entries = Array.from(items, ([key, { value, properties }]) => {
    const entry = `${encodeURIComponent(key.toWellFormed())}=${encodeURIComponent(value.toWellFormed())}`;
    return properties === undefined ? entry : `${entry};${properties}`;
  });
  return parseBaggage(entries.join(','));
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined; // a percent sign that stands for nothing
  }
}
