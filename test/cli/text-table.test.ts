// Tables of the command line, whatever the cells say.
import { expect, test } from 'vitest';
import { fitColumns, textMembers, textTable, wrapText } from '../../src/cli/text-table.ts';

test('a cell that is named as what every object has is a text like any other, in colours too', () => {
  const options = { width: undefined, hasColors: true };
  for (const text of ['constructor', 'toString', '__proto__']) {
    expect(textTable([{ type: text }], [['TYPE', 'type']], options)).toContain(text);
    expect(textMembers({ type: text }, options)).toContain(text);
  }
  expect(textTable([{ state: 'completed' }], [['STATE', 'state']], options)).toContain('\u001b[32mcompleted');
});

test('a table that does not fit does without the least of its columns, as many as it takes', () => {
  const columns = [
    ['NAME', 'name'],
    ['ROOM', 'room'],
    ['NOTE', 'note'],
    ['COUNT', 'count'],
  ] as const;
  const rows = [{ name: 'default', room: 'cellar', note: 'none', count: 12 }];
  const fitting = (width: number | undefined) =>
    fitColumns(rows, columns, { options: { width, hasColors: false }, least: ['note', 'room'] }).map(
      ([heading]) => heading,
    );
  expect(fitting(undefined)).toEqual(['NAME', 'ROOM', 'NOTE', 'COUNT']);
  expect(fitting(28)).toEqual(['NAME', 'ROOM', 'NOTE', 'COUNT']); // 7 + 6 + 4 + 5, and three gaps of two
  expect(fitting(27)).toEqual(['NAME', 'ROOM', 'COUNT']);
  expect(fitting(21)).toEqual(['NAME', 'COUNT']);
  expect(fitting(5)).toEqual(['NAME', 'COUNT']);
});

test('a sentence is broken between its words where it does not fit, and a long word stays whole', () => {
  const wrapped = (text: string, width: number | undefined) => wrapText(text, { width, hasColors: false });
  expect(wrapped('one two three', 7)).toBe('one two\nthree');
  expect(wrapped('incomprehensible word', 7)).toBe('incomprehensible\nword');
  expect(wrapped('one two three', undefined)).toBe('one two three');
});
