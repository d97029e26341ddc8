/**
 * JSON for people: objects and lists that fold, long texts whole, what is hidden marked as such. Pure.
 *
 * Guarantees: bounded, whatever is given: what has too many values is shown as text, and what is too long as text is cut.
 */
import { html } from 'hono/html';
import { REDACTED } from '#shared/job/redaction.ts';
import type { Html } from './html.ts';

const MAX_VALUES = 1_000;
/** Of many that nest deep the indents would be most of the text, and writing them would block the event loop. */
const MAX_INDENTED = 10_000;
const MAX_CHARACTERS = 65_536;
/** Deeper ones are folded at first. */
const OPEN_LEVELS = 2;
/** Longer ones are folded at first. */
const OPEN_ITEMS = 20;

/** `id`: by which the script remembers what was unfolded. */
export function renderJson(value: unknown, id: string): Html {
  if (value === null || value === undefined) return html`<span class="quiet">none</span>`;
  const values = countValues(value, MAX_INDENTED);
  if (values > MAX_VALUES) return renderText(JSON.stringify(value, null, values > MAX_INDENTED ? 0 : 2));
  return html`<div class="json">${renderValue(value, id, 0)}</div>`;
}

/** Text that may be long. */
export function renderText(text: string): Html {
  const isCut = text.length > MAX_CHARACTERS;
  return html`<pre tabindex="0">${text.slice(0, MAX_CHARACTERS)}</pre>${isCut ? html`<p class="quiet">The rest is left out: the API has all of it.</p>` : ''}`;
}

function renderValue(value: unknown, id: string, level: number): Html {
  if (value === REDACTED) return html`<span class="redacted">${REDACTED}</span>`;
  if (typeof value === 'string') return html`<span class="text">${JSON.stringify(value)}</span>`;
  if (typeof value !== 'object' || value === null) return html`<span class="value">${String(value)}</span>`;
  const isList = Array.isArray(value);
  const entries = Object.entries(value);
  const brackets = isList ? ['[', ']'] : ['{', '}'];
  if (entries.length === 0) return html`<span>${brackets.join('')}</span>`;
  const isOpen = level < OPEN_LEVELS && entries.length <= OPEN_ITEMS;
  const items = entries.map(
    ([key, item]) =>
      html`<li>${isList ? '' : html`<span class="key">${key}:</span> `}${renderValue(item, `${id}.${key}`, level + 1)}</li>`,
  );
  return html`<details id="${id}"${isOpen ? html` open` : ''}><summary>${brackets[0]} <span class="key">${entries.length} ${unit(isList, entries.length)}</span> ${brackets[1]}</summary><ul>${items}</ul></details>`;
}

function unit(isList: boolean, length: number): string {
  const one = isList ? 'item' : 'member';
  return length === 1 ? one : `${one}s`;
}

/** Stops above `max`. */
function countValues(value: unknown, max: number): number {
  if (typeof value !== 'object' || value === null) return 1;
  let values = 1;
  for (const item of Object.values(value)) {
    values += countValues(item, max - values);
    if (values > max) break;
  }
  return values;
}
