// Tables of the command line, whatever the cells say.
import { expect, test } from 'vitest';
import { textMembers, textTable } from '../../src/cli/text-table.ts';

test('a cell that is named as what every object has is a text like any other, in colours too', () => {
  const options = { width: undefined, hasColors: true };
  for (const text of ['constructor', 'toString', '__proto__']) {
    expect(textTable([{ type: text }], [['TYPE', 'type']], options)).toContain(text);
    expect(textMembers({ type: text }, options)).toContain(text);
  }
  expect(textTable([{ state: 'completed' }], [['STATE', 'state']], options)).toContain('\u001b[32mcompleted');
});
