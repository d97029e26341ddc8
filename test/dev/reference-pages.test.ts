import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { referencePages } from '../../dev/reference-pages.ts';
import { settings } from '../../src/shared/settings/settings.ts';

test.each(referencePages())('$path says what the code says (npm run docs)', ({ path, text }) => {
  expect(readFileSync(path, 'utf8')).toBe(text);
});

test('every setting, event, error and metric has a row', () => {
  const [settingsPage, eventsPage, errorsPage, metricsPage] = referencePages().map(({ text }) => text);
  for (const name of Object.keys(settings)) expect(settingsPage).toContain(`| \`${name}\` |`);
  expect(eventsPage).toContain('`attempt.finished`');
  expect(eventsPage).not.toMatch(/\| +\|$/m); // each says when
  expect(errorsPage).toContain('`invalid_args`');
  expect(metricsPage).toContain('| `warren_jobs` | gauge | `queue`, `state` | both |');
  expect(metricsPage).toContain('| `warren_worker_lane` | gauge | `lane` | worker |');
});
