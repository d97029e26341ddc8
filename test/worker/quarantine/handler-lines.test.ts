import { expect, test } from 'vitest';
import { createLineSender, readLine } from '../../../src/worker/quarantine/handler-lines.ts';

const line = { jobId: '7', type: 'greet', attempt: 1, level: 'info', message: 'greeting' } as const;

test('a line arrives as it was sent', () => {
  const texts: string[] = [];
  const send = createLineSender(async (text) => void texts.push(text));
  const lines = [line, { ...line, traceparent: 'of the request', details: { name: 'Ada' } }];
  for (const each of lines) send(each);
  expect(texts.map(readLine)).toEqual(lines);
});

test('lines that nobody takes are dropped from a mebibyte on, and later ones sent when there is room again', async () => {
  const texts: string[] = [];
  let isTaken = Promise.withResolvers<void>();
  const send = createLineSender((text) => {
    texts.push(text);
    return isTaken.promise;
  });
  const large = { ...line, details: { text: 'x'.repeat(300_000) } };
  for (let count = 0; count < 10; count += 1) send(large);
  expect(texts).toHaveLength(3);
  isTaken.resolve();
  await new Promise(setImmediate);
  isTaken = Promise.withResolvers();
  send(large);
  expect(texts).toHaveLength(4);
});
