import { expect, test } from 'vitest';
import type { TakeApartLimits } from '../../src/api/json-text.ts';
import { countValues, takeApart } from '../../src/api/json-text.ts';

const LIMITS: TakeApartLimits = { elements: 1_000, elementValues: 1_000, values: 1_000 };
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

async function take(json: string, limits: Partial<TakeApartLimits> = {}) {
  const { frame, elements, values } = await takeApart(Buffer.from(json), { ...LIMITS, ...limits });
  return { frame: text(frame), elements: elements.map(({ bytes }) => text(bytes)), values };
}

/** What the pieces say together; undefined where one of them is no JSON. */
async function parsePieces(json: string): Promise<unknown> {
  const { frame, elements } = await take(json);
  try {
    const outer = JSON.parse(frame);
    const list = elements.map((element) => JSON.parse(element));
    for (const [name, value] of Object.entries(outer)) if (Array.isArray(value)) outer[name] = list;
    return outer;
  } catch {
    return undefined;
  }
}

function parseWhole(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

test('values are counted without being parsed, whatever the texts between them say', () => {
  const count = (json: string) => countValues(Buffer.from(json), 100);
  expect(count('7')).toBe(1);
  expect(count('[1,2,3]')).toBe(4);
  expect(count('{"a":{"b":[1]}}')).toBe(4);
  expect(count('"[,{,\\",[,"')).toBe(1);
  expect(count(`[${'0,'.repeat(1_000)}0]`)).toBe(101);
  expect(count('"a text without an end')).toBe(1);
});

test('the list is taken apart, and what is around it is left', async () => {
  expect(await take('{"jobs" : [ {"a":[1,2]}, "],[\\"" ,3 ] }')).toEqual({
    frame: '{"jobs" : [] }',
    elements: [' {"a":[1,2]}', ' "],[\\"" ', '3 '],
    values: 8,
  });
  expect(await take('{"jobs":[ \\n]}'.replace('\\n', '\n'))).toMatchObject({ elements: [] });
  expect(await take('{"a":{"b":[1,2]}}')).toMatchObject({ frame: '{"a":{"b":[1,2]}}', elements: [] });
});

test.each([
  ['elements', '{"jobs":[1,2,3]}', { elements: 2 }],
  ['elementValues', '{"jobs":[1,[1,2,3]]}', { elementValues: 3 }],
  ['values', '{"jobs":[[1],[2],[3]]}', { values: 5 }],
  ['values', `[${'['.repeat(2_000)}`, { elementValues: 2_000 }],
  ['second-list', '{"jobs":[],"more":[]}', {}],
])('more %s than allowed end it', async (what, json, limits) => {
  await expect(take(json, limits)).rejects.toMatchObject({ name: 'TooMuch', what });
});

test('the pieces are JSON if and only if the whole is, and say the same', async () => {
  const samples = [
    '{"jobs":[{"a":[1,{"b":"c"}]},"x,]",null,[],{}],"n":1}',
    '{"jobs":[[[]],"\\\\",1.5e3,true] , "o":{"p":{"q":"]}"}}}',
    '{"j\\u006fbs":[ 1 , 2 ]}',
  ];
  const alphabet = ['[', ']', '{', '}', ',', ':', '"', '\\', ' ', '0', '\u0001', ''];
  for (const sample of samples) {
    expect(await parsePieces(sample)).toEqual(JSON.parse(sample));
    for (let at = 0; at < sample.length; at += 1) {
      for (const inserted of alphabet) {
        for (const removed of [0, 1]) {
          const json = sample.slice(0, at) + inserted + sample.slice(at + removed);
          const whole = parseWhole(json);
          const pieces = await parsePieces(json).catch(() => 'refused'); // a second list
          if (pieces !== 'refused') expect(pieces, json).toEqual(whole);
        }
      }
    }
  }
});
