// Holds the source tree to design.md: who may import whom, what stands where, how long anything may be.
import { globSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { optionalPeers } from '../dev/package/manifest.ts';
import type { Rule, SourceFile } from './support/source-rules.ts';
import {
  examplesStandOnTheFace,
  functionsOf,
  houseStyle,
  importsOf,
  lifeOfAJob,
  lifeOfAJobInOrder,
  noCircles,
  nothingShared,
  oneDirection,
  packagesAtHome,
  processInFewPlaces,
  shortEnough,
  shortMainPath,
  statesFromTheTable,
  twoServersApart,
  useCasesOnly,
  withoutTexts,
} from './support/source-rules.ts';

const root = new URL('../src/', import.meta.url);
const files: SourceFile[] = globSync('**/*.ts', { cwd: root })
  .sort()
  .map((path) => ({ path, text: readFileSync(new URL(path, root), 'utf8') }));
const examplesRoot = new URL('../examples/', import.meta.url);
const examples: SourceFile[] = globSync('**/*.ts', { cwd: examplesRoot }).map((path) => ({
  path,
  text: readFileSync(new URL(path, examplesRoot), 'utf8'),
}));

const rules: [string, Rule][] = [
  [
    'api and worker import jobs and shared, jobs import shared, by their aliases, and never the other way',
    oneDirection,
  ],
  ['nothing in shared joins RabbitMQ and Postgres', twoServersApart],
  ['the faces call use cases: they run no statement and send no message', useCasesOnly],
  ['statements take their sets of states from the table of transitions', statesFromTheTable],
  ['every package of the two servers is imported only where it is at home', packagesAtHome],
  ['settings, signals, exits and waits at import time stand in few places', processInFewPlaces],
  ['two instances in one process share nothing', nothingShared],
  ['there are no circles of imports', noCircles],
  ['no file has above 300 lines and no function above 70', shortEnough],
  ['no file of the main path has above 220 lines', shortMainPath],
  ['names, exports and timers follow the house style', houseStyle],
  ['the story of a job names its files in the order of their calls', lifeOfAJobInOrder],
];

test('the whole source tree is looked at', () => {
  expect(files.length).toBeGreaterThan(50);
  expect(new Set(files.map(({ path }) => path.split('/')[0]))).toEqual(
    new Set([
      'api',
      'app.ts',
      'cli',
      'index.ts',
      'jobs',
      'queue',
      'shared',
      'testing.ts',
      'warren-events.ts',
      'warren-batches.ts',
      'warren-jobs.ts',
      'warren-options.ts',
      'warren.ts',
      'worker',
    ]),
  );
});

test.each(rules)('%s', (_, rule) => {
  expect(rule(files)).toEqual([]);
});

test('the examples import the faces of the package and what anybody can install, and nothing else', () => {
  expect(examples.map(({ path }) => path)).toContain('shop/app.ts');
  expect(examplesStandOnTheFace(examples)).toEqual([]);
  for (const rule of [shortEnough, houseStyle, noCircles, processInFewPlaces])
    expect(rule(examples)).toEqual([]);
});

test('nothing in the core knows the shop', () => {
  const knowing = files.filter(({ text }) =>
    /warren\.orders|process-order|build-report|\bexamples\//.test(withoutComments(text)),
  );
  expect(knowing.map(({ path }) => path)).toEqual(['shared/settings/settings.ts']); // the default of WARREN_APP
});

test('every package that is imported is a dependency, and every dependency is imported', () => {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', root), 'utf8'));
  const packages = files.flatMap((source) =>
    importsOf(source).flatMap(({ specifier, file }) =>
      file !== undefined || specifier.startsWith('node:')
        ? []
        : [specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')],
    ),
  );
  expect([...new Set(packages)].sort()).toEqual(
    Object.keys({ ...manifest.dependencies, ...optionalPeers(manifest) }).sort(),
  );
});

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, '');
}

test('ARCHITECTURE.md tells the story of a job in the same files and the same order', () => {
  const text = readFileSync(new URL('../ARCHITECTURE.md', root), 'utf8');
  const told = [...text.matchAll(/^\d+\. `src\/([^`]+)`/gm)].map(([, path]) => path);
  expect(told).toEqual(lifeOfAJob);
});

describe('a rule sees what breaks it:', () => {
  const header = '/** It is what it is. */\n';
  const one = (path: string, text: string): SourceFile[] => [{ path, text: header + text }];
  const lines = (count: number) => 'void 0;\n'.repeat(count);

  test.each<[string, Rule, SourceFile[], string]>([
    [
      'worker from api',
      oneDirection,
      one('api/a.ts', "import { W } from '../worker/worker.ts';"),
      'worker.ts',
    ],
    ['api from worker', oneDirection, one('worker/a.ts', "import '../api/app.ts';"), 'api/app.ts'],
    [
      'worker from jobs',
      oneDirection,
      one('jobs/a.ts', "import type { W } from '../worker/worker.ts';"),
      'worker.ts',
    ],
    [
      'jobs from shared',
      oneDirection,
      one('shared/base/a.ts', "import {\n  x,\n} from '../src/jobs/define.ts';"),
      '../src/jobs/define.ts',
    ],
    [
      'api from shared',
      oneDirection,
      one('shared/postgres/a.ts', "export * from '../../api/app.ts';"),
      'api/app.ts',
    ],
    [
      'another room at run time',
      oneDirection,
      one('jobs/a.ts', "const a = await import('../api/app.ts');"),
      'api/app.ts',
    ],
    ['what lies outside', oneDirection, one('shared/a.ts', "import '../../dev/seed.ts';"), 'dev/seed.ts'],
    ['a room by its path', oneDirection, one('api/a.ts', "import '../shared/observe/log.ts';"), 'wrong name'],
    [
      'its own room by an alias',
      oneDirection,
      one('shared/program/a.ts', "import '#shared/observe/log.ts';"),
      'wrong name',
    ],
    [
      'the core from an example',
      examplesStandOnTheFace,
      one('shop/a.ts', "import { B } from '../../src/shared/base/batcher.ts';"),
      'batcher.ts',
    ],
    [
      'the core from an example by an alias',
      examplesStandOnTheFace,
      one('shop/a.ts', "import { B } from '#shared/base/batcher.ts';"),
      '#shared',
    ],
    [
      'another example',
      examplesStandOnTheFace,
      one('shop/a.ts', "import { b } from '../tickets/b.ts';"),
      'tickets',
    ],
    [
      'what the package does not show',
      examplesStandOnTheFace,
      one('shop/a.ts', "import { W } from 'warren/dist/src/worker/worker.js';"),
      'worker.js',
    ],
    [
      'postgres from rabbitmq',
      twoServersApart,
      one('shared/rabbitmq/a.ts', "import type { Sql } from '../postgres/database.ts';"),
      'shared/rabbitmq/a.ts joins',
    ],
    [
      'rabbitmq from postgres through others',
      twoServersApart,
      [
        { path: 'shared/postgres/a.ts', text: "import '../b.ts';" },
        { path: 'shared/b.ts', text: "import './rabbitmq/c.ts';" },
        { path: 'shared/rabbitmq/c.ts', text: '' },
      ],
      'shared/postgres/a.ts joins',
    ],
    [
      'both from a third',
      twoServersApart,
      one('shared/a.ts', "import './rabbitmq/b.ts';\nimport './postgres/c.ts';"),
      'shared/a.ts joins',
    ],
    [
      'a statement in a route',
      useCasesOnly,
      one('api/routes/a.ts', "import { cancelJob } from '#shared/postgres/statements/control.ts';"),
      'past the use cases',
    ],
    [
      'a publisher in the library',
      useCasesOnly,
      one('warren.ts', "import type { Publisher } from '#shared/rabbitmq/publisher.ts';"),
      'past the use cases',
    ],
    [
      'a set of states in a statement',
      statesFromTheTable,
      one('shared/postgres/statements/a.ts', "sql`where state in ('scheduled', 'retryable')`"),
      'names states of its own',
    ],
    [
      'a state that is set by a statement',
      statesFromTheTable,
      one('shared/postgres/statements/a.ts', "sql`update warren.jobs set state = 'available'`"),
      'names states of its own',
    ],
    [
      'a guard by a state that is none',
      statesFromTheTable,
      one('shared/postgres/statements/a.ts', "sql`where state = 'runing'`"),
      'unknown state: runing',
    ],
    [
      'amqplib in the worker',
      packagesAtHome,
      one('worker/worker.ts', "import amqp from 'amqplib';"),
      'amqplib',
    ],
    [
      'generic-pool in the consumer',
      packagesAtHome,
      one('worker/consumer.ts', "import {\n  a,\n} from 'generic-pool';"),
      'generic-pool',
    ],
    [
      'the client of Kubernetes in another command',
      packagesAtHome,
      one('cli/top.ts', "import { KubeConfig } from '@kubernetes/client-node';"),
      '@kubernetes/client-node',
    ],
    ['postgres in a job', packagesAtHome, one('jobs/a.ts', "import postgres from 'postgres';"), 'postgres'],
    ['process.env', processInFewPlaces, one('jobs/a.ts', 'const { A } = process.env;'), 'reads process.env'],
    [
      'process.env in a template',
      processInFewPlaces,
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the text of a source file
      one('jobs/a.ts', 'const a = `${process.env}`;'),
      'reads process.env',
    ],
    ['process.exit', processInFewPlaces, one('worker/worker.ts', 'process.exit(1);'), 'for its own'],
    ['process.on', processInFewPlaces, one('shared/observe/log.ts', "process.on('exit', f);"), 'for its own'],
    [
      'a wait at import time',
      processInFewPlaces,
      one('shared/a.ts', 'export const b = 1;\nconst a = await f();'),
      'waits',
    ],
    [
      'a channel of the whole process',
      nothingShared,
      one('shared/a.ts', "import { channel } from 'node:diagnostics_channel';"),
      'shared/a.ts publishes to the whole process',
    ],
    ['a variable of a module', nothingShared, one('queue/a.ts', 'export let a = 1;'), 'queue/a.ts keeps'],
    [
      'a container of a module',
      nothingShared,
      one('queue/a.ts', 'const a = new Map<string, () => void>();'),
      'queue/a.ts keeps',
    ],
    ['a list of a module', nothingShared, one('queue/a.ts', 'const a: string[] = [];'), 'queue/a.ts keeps'],
    [
      'an instance for everybody',
      nothingShared,
      one('queue/a.ts', 'export const events = new Events();'),
      'queue/a.ts keeps',
    ],
    [
      'a circle',
      noCircles,
      [
        { path: 'jobs/a.ts', text: "import './b.ts';" },
        { path: 'jobs/b.ts', text: "import type { C } from './c.ts';" },
        { path: 'jobs/c.ts', text: "import { a } from './a.ts';" },
      ],
      'jobs/b.ts imports itself',
    ],
    ['a file of 301 lines', shortEnough, one('jobs/a.ts', lines(300)), 'has 301 lines'],
    [
      'a file of the main path of 221 lines',
      shortMainPath,
      one('worker/attempt.ts', lines(220)),
      'has 221 lines',
    ],
    [
      'a function of 71 lines',
      shortEnough,
      one('jobs/a.ts', `function f() {\n${lines(69)}}`),
      'a.ts:2 has a function of 71 lines',
    ],
    [
      'a method of 71 lines',
      shortEnough,
      one('jobs/a.ts', `class A {\n  async b<T>(c: T): Promise<{ d: T }> {\n${lines(69)}}\n}`),
      'a function of 71',
    ],
    [
      'an arrow function of 71 lines',
      shortEnough,
      one('jobs/a.ts', `const f = (a) => {\n${lines(69)}};`),
      'a function of 71',
    ],
    ['utils', houseStyle, one('shared/utils.ts', ''), 'says nothing'],
    ['index', houseStyle, one('jobs/index.ts', ''), 'says nothing'],
    ['CamelCase', houseStyle, one('jobs/sendMail.ts', ''), 'kebab-case'],
    ['no header', houseStyle, [{ path: 'jobs/a.ts', text: 'export {};' }], 'header'],
    ['a default export', houseStyle, one('jobs/a.ts', 'export default 1;'), 'default export'],
    ['another default export', houseStyle, one('jobs/a.ts', 'export { a as default };'), 'default export'],
    ['a barrel', houseStyle, one('jobs/a.ts', "export * from './b.ts';"), 'what others export'],
    ['an inline type', houseStyle, one('jobs/a.ts', "import { a, type B } from './b.ts';"), 'inline type'],
    ['setInterval', houseStyle, one('jobs/a.ts', 'setInterval(f, 1);'), 'setInterval'],
    ['unref', houseStyle, one('jobs/a.ts', 'timer.unref();'), 'unref'],
    ['a missing file', lifeOfAJobInOrder, one('worker/attempt.ts', ''), 'worker/consumer.ts is missing'],
    [
      'a file out of order',
      lifeOfAJobInOrder,
      one('worker/attempt.ts', ''),
      'worker/attempt.ts is called by nothing',
    ],
  ])('%s', (_, rule, broken, message) => {
    expect(rule(broken).join('\n')).toContain(message);
  });

  test('and nothing else', () => {
    const text = [
      "import type { Sql } from './postgres/database.ts';",
      '// process.env, setInterval and export default are only spoken of',
      "const text = 'process.exit(1)' + `process.env {` + /process.on(`{/.source;",
      'const names = new Set([1]);\nfunction f() {\n  let a = new Map();\n}',
      'export interface A {\n  b: { c: number };\n}',
      `export const table = {\n${'  a: 1,\n'.repeat(80)}};`,
      'export class B {\n  c() {\n    return { d: 1 };\n  }\n}',
    ].join('\n');
    const file = one('shared/postgres/gauges.ts', text);
    for (const [, rule] of rules.filter(([, tried]) => tried !== lifeOfAJobInOrder))
      expect(rule(file)).toEqual([]);
  });
});

describe('the reader of the texts', () => {
  test('blanks comments, strings, templates and regular expressions, but not the code within templates', () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the text of a source file
    const text = 'a(\'{\', "}", /[/{]\\//g, `x ${b({ c: `y ${d} {` })} {`); // {\n/* { */ e / f / g;';
    expect(withoutTexts(text).replaceAll(/ +/g, ' ')).toBe('a( , , , b({ c: d }) ); \n e / f / g;');
  });

  test('finds the bodies of functions, and no objects, types or classes', () => {
    const text = `
class A extends B<C> {
  #d(e: F): { g: number } {
    return { g: 1 };
  }
}
export const h = {
  i: [{ j: 1 }],
};
function k({ l }: M): void {
}
type N = {
};`;
    expect(functionsOf(text)).toEqual([
      { line: 3, lines: 3 },
      { line: 10, lines: 2 },
    ]);
  });
});
