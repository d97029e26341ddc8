// `npm run docs`: writes the derived pages of docs/.
import { writeFileSync } from 'node:fs';
import { readCommandLine } from './command-line.ts';
import { referencePages } from './reference-pages.ts';

readCommandLine({
  name: 'npm run docs',
  about: 'Writes the pages of docs/ that are made from the code.',
  flags: {},
});
for (const { path, text } of referencePages()) writeFileSync(path, text);
