// The rules of the source tree as functions: each takes the files and returns what breaks it, one line per violation.
// They read texts, not syntax trees: rough, but without a compiler, and proven on small examples.

import { states } from '../../src/shared/job/transitions.ts';

export interface SourceFile {
  /** From `src/` on, as `worker/consumer.ts`. */
  path: string;
  text: string;
}

export type Rule = (files: readonly SourceFile[]) => string[];

interface Import {
  specifier: string;
  /** The imported file, from `src/` on; undefined for packages. */
  file: string | undefined;
}

const MAX_FILE_LINES = 300;
const MAX_MAIN_PATH_LINES = 220;
const MAX_FUNCTION_LINES = 70;

/** The folder that a file lives in, of those that have a rule of their own: `worker`, `shared/postgres`. */
export function room(path: string): string {
  const [first = '', second = ''] = path.split('/');
  return first === 'shared' ? `shared/${second}` : first;
}

/** Within it imports are relative. */
function wing(path: string): string {
  return path.split('/')[0] ?? '';
}

export function importsOf({ path, text }: SourceFile): Import[] {
  const statements = text.matchAll(/^(?:import|export)\s(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]/gm);
  const calls = text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g);
  return [...statements, ...calls].map(([, specifier = '']) => ({
    specifier,
    file: resolve(path, specifier),
  }));
}

function resolve(from: string, specifier: string): string | undefined {
  if (specifier.startsWith('#')) return specifier.slice(1);
  if (!specifier.startsWith('.')) return undefined;
  return new URL(specifier, `file:///${from}`).pathname.slice(1);
}

/** Every file that this one imports, directly or through others. */
function reach(
  path: string,
  imports: ReadonlyMap<string, readonly string[]>,
  seen = new Set<string>(),
): Set<string> {
  for (const next of imports.get(path) ?? []) if (!seen.has(next)) reach(next, imports, seen.add(next));
  return seen;
}

function graph(files: readonly SourceFile[]): Map<string, string[]> {
  return new Map(
    files.map((source) => [
      source.path,
      importsOf(source).flatMap(({ file }) => (file === undefined ? [] : [file])),
    ]),
  );
}

/**
 * What each room may import beside itself. `shared/` has rooms of its own, from the ground up: base, job, observe, and then the two servers, which are
 * blind to each other. The use cases (`queue/`) join them; the faces and the worker stand on the use cases and never see each other.
 */
const ground = ['shared/base', 'shared/job', 'shared/observe'];
const allShared = [
  ...ground,
  'shared/http',
  'shared/postgres',
  'shared/program',
  'shared/rabbitmq',
  'shared/settings',
];
const library = ['warren.ts', 'warren-batches.ts', 'warren-events.ts', 'warren-jobs.ts', 'warren-options.ts'];
const everything = [...allShared, 'queue', 'jobs', 'worker', 'api', ...library];
const mayImport: Record<string, readonly string[]> = {
  'shared/base': [],
  'shared/job': ['shared/base', 'shared/postgres'], // the types of the clients that an application is given
  'shared/observe': ['shared/base', 'shared/job'],
  'shared/settings': ['shared/base', 'shared/job'],
  'shared/http': ground,
  'shared/program': [...ground, 'shared/settings'],
  'shared/postgres': ground,
  'shared/rabbitmq': ground,
  queue: allShared,
  jobs: [...allShared, 'queue'],
  worker: [...allShared, 'queue', 'jobs'],
  api: [...allShared, 'queue', 'jobs'],
  'warren-batches.ts': [...allShared, 'queue', 'warren-options.ts'],
  'warren-events.ts': [...allShared, 'queue'],
  'warren-jobs.ts': [...allShared, 'queue'],
  'warren-options.ts': [...allShared, 'queue'],
  'warren.ts': everything,
  'app.ts': [...allShared, 'jobs'],
  'index.ts': everything,
  'testing.ts': everything,
  cli: everything,
};

/** Imports run in one direction, and leave a room by its alias only. */
export const oneDirection: Rule = (files) =>
  files.flatMap((source) =>
    importsOf(source).flatMap(({ specifier, file }) => {
      if (file === undefined) return [];
      const [from, to] = [room(source.path), room(file)];
      if (from !== to && !mayImport[from]?.includes(to)) return [`${source.path} imports ${specifier}`];
      const isAlias = specifier.startsWith('#');
      return isAlias === (wing(source.path) !== wing(file))
        ? []
        : [`${source.path} imports ${specifier} by the wrong name`];
    }),
  );

/** An example is an application: of ours it imports the package's faces alone, as anybody's would. The paths count from `examples/` on. */
export const examplesStandOnTheFace: Rule = (files) =>
  files.flatMap((source) =>
    importsOf(source).flatMap(({ specifier, file }) => {
      const isOwn = specifier.startsWith('.') && file?.split('/')[0] === wing(source.path);
      const isPackage = !/^[.#/]/.test(specifier) && !specifier.startsWith('file:');
      const isFace = !/^warren(\/|$)/.test(specifier) || /^warren(\/app|\/testing)?$/.test(specifier);
      return isOwn || (isPackage && isFace) ? [] : [`${source.path} imports ${specifier}`];
    }),
  );

/** `rabbitmq/` and `postgres/` know nothing of each other, not even through others; nothing in `shared` joins them. */
export const twoServersApart: Rule = (files) => {
  const imports = graph(files);
  const isIn = (folder: string) => (path: string) => path.startsWith(`shared/${folder}/`);
  return files.flatMap(({ path }) => {
    if (wing(path) !== 'shared') return [];
    const reached = [...reach(path, imports), path];
    return reached.some(isIn('rabbitmq')) && reached.some(isIn('postgres'))
      ? [`${path} joins RabbitMQ and Postgres`]
      : [];
  });
};

/** Faces (HTTP, command line, library) parse, call a use case of `queue/` and present: they run no statement and send no message. */
export const useCasesOnly: Rule = (files) =>
  files.flatMap((source) => {
    if (!/^(api|cli|jobs)\/|^warren(-\w+)?\.ts$/.test(source.path)) return [];
    return importsOf(source).flatMap(({ file }) =>
      file !== undefined && /^shared\/(rabbitmq|postgres\/statements)\//.test(file)
        ? [`${source.path} goes past the use cases: ${file}`]
        : [],
    );
  });

const STATES = Object.keys(states).join('|');
/** Two states beside each other, or a state that is assigned. `state = 'running'` as a guard is as readable as anything. */
const stateSets = new RegExp(
  `'(${STATES})'(,\\s*'(${STATES})')+|\\b(set|then|else)\\s+(state = )?'(${STATES})'`,
  'g',
);
const stateGuards = /\bstate\b[^\n]{0,10}?\s(?:=|<>)\s'(\w+)'/g;

/** Statements take their sets of states, and the states that they set, from the table of transitions. */
export const statesFromTheTable: Rule = (files) =>
  files.flatMap(({ path, text }) => {
    if (!path.startsWith('shared/postgres/') && !path.startsWith('queue/')) return [];
    const sets = [...text.matchAll(stateSets)].map(([found]) => `${path} names states of its own: ${found}`);
    const unknown = [...text.matchAll(stateGuards)].filter(([, state = '']) => !(state in states));
    return [...sets, ...unknown.map(([, state]) => `${path} guards by an unknown state: ${state}`)];
  });

const packageHomes: Record<string, (path: string) => boolean> = {
  '@kubernetes/client-node': (path) => path.startsWith('cli/cluster/'),
  amqplib: (path) => path.startsWith('shared/rabbitmq/'),
  'generic-pool': (path) => path.startsWith('shared/rabbitmq/'),
  postgres: (path) => path.startsWith('shared/postgres/') || path === 'shared/job/transaction.ts', // a type
};

/** Each of these packages is imported where it is at home, and nowhere else. */
export const packagesAtHome: Rule = (files) =>
  files.flatMap((source) =>
    importsOf(source).flatMap(({ specifier }) =>
      (packageHomes[specifier]?.(source.path) ?? true) ? [] : [`${source.path} imports ${specifier}`],
    ),
  );

/** Programs begin and end in few places; everything else is told what it needs. */
export const processInFewPlaces: Rule = (files) =>
  files.flatMap(({ path, text }) => {
    const code = withoutTexts(text);
    const isProgram =
      path === 'shared/program/shutdown.ts' ||
      /^(api|cli|worker|worker\/isolation)\/main\.ts$/.test(path) ||
      /^[a-z]+\/serve\.ts$/.test(path); // of an example
    const isSettings = path === 'shared/settings/config.ts' || /^[a-z]+\/settings\.ts$/.test(path); // of an example
    const found: string[] = [];
    if (!isSettings && /\bprocess\s*\.\s*env\b/.test(code)) found.push(`${path} reads process.env`);
    if (!isProgram && /\bprocess\s*\.\s*(on|once|exit|kill|abort)\b/.test(code))
      found.push(`${path} takes the process for its own`);
    if (!/\/main\.ts$/.test(path) && /^(?:await\s|(?:const|let)\s[^=]*=\s*await\s)/m.test(code))
      found.push(`${path} waits at import time`);
    return found;
  });

/** Where state of a module is right: it describes the process, or is kept by something that belongs to one instance. */
const moduleState = new Set([
  'jobs/deliver-webhook.ts', // by the settings of an instance
  'shared/base/slices.ts', // the turns of the process's event loop
  'shared/observe/log-output.ts', // the streams of the process
  'shared/observe/metrics/process-metrics.ts', // what the process uses
]);
const keepsState =
  /^(?:export\s+)?(?:(?:let|var)\s|const\s[^=\n]*=\s*(?:new\s+(?:Map|Set|WeakMap|WeakSet|Events|Registry|EventEmitter)\b(?:<[^\n]*>)?\(\s*\)|\[\]|\{\}))/m;

/** Two instances in one process share nothing: no variables of a module, no containers that are filled later, no channels of the whole process. */
export const nothingShared: Rule = (files) =>
  files.flatMap((source) => {
    const { path, text } = source;
    const found: string[] = [];
    if (importsOf(source).some(({ specifier }) => /^(node:)?diagnostics_channel$/.test(specifier)))
      found.push(`${path} publishes to the whole process`);
    if (!moduleState.has(path) && !/\/main\.ts$/.test(path) && keepsState.test(withoutTexts(text)))
      found.push(`${path} keeps what instances would share`);
    return found;
  });

/** No file imports itself, however long the way round. Type imports count: they make readers go in circles too. */
export const noCircles: Rule = (files) => {
  const imports = graph(files);
  return files.flatMap(({ path }) => (reach(path, imports).has(path) ? [`${path} imports itself`] : []));
};

/** Files and functions that fit into a head. */
export const shortEnough: Rule = (files) =>
  files.flatMap(({ path, text }) => {
    const lines = linesOf(text);
    const tooLong = lines > MAX_FILE_LINES ? [`${path} has ${lines} lines`] : [];
    const functions = functionsOf(text).filter((found) => found.lines > MAX_FUNCTION_LINES);
    return [
      ...tooLong,
      ...functions.map((found) => `${path}:${found.line} has a function of ${found.lines} lines`),
    ];
  });

function linesOf(text: string): number {
  return text.trimEnd().split('\n').length;
}

/** The package's only face, which has to be called so. */
const FACE = 'index.ts';
const vagueNames = /^(index|utils?|helpers?|types?|constants?|common|misc|manager|service)\.ts$/;

/** What the house style forbids, where no linter looks. */
export const houseStyle: Rule = (files) =>
  files.flatMap(({ path, text }) => {
    const code = withoutTexts(text);
    const name = path.split('/').at(-1) ?? '';
    const found: string[] = [];
    if (path !== FACE && vagueNames.test(name)) found.push(`${path} has a name that says nothing`);
    if (!/^[a-z0-9]+(-[a-z0-9]+)*\.ts$/.test(name)) found.push(`${path} is not in kebab-case`);
    if (!/^(#!.*\n)?\/\*\*/.test(text)) found.push(`${path} has no header comment`);
    if (/^export\s+(default\b|\{[^}]*\bas\s+default\b)/m.test(code))
      found.push(`${path} has a default export`);
    if (/^export\s+\*/m.test(code)) found.push(`${path} exports what others export`);
    if (/\{[^{}]*\btype\s+\w+[^{}]*\}\s*from\b/.test(code)) found.push(`${path} has an inline type import`);
    if (/\bsetInterval\b/.test(code)) found.push(`${path} uses setInterval`);
    if (/\.unref\(/.test(code)) found.push(`${path} hides a timer or a socket with unref`);
    return found;
  });

/** The path of a job from the request to its record, as ARCHITECTURE.md tells it. RabbitMQ stands between the publisher and the consumer. */
export const lifeOfAJob = [
  'api/routes/jobs.ts',
  'queue/enqueue.ts',
  'shared/postgres/statements/insert.ts',
  'queue/outbox.ts',
  'shared/postgres/statements/publish.ts',
  'shared/rabbitmq/publisher.ts',
  'worker/consumer.ts',
  'worker/attempt.ts',
  'worker/claimer.ts',
  'worker/group-claim.ts',
  'shared/postgres/statements/claim.ts',
  'worker/perform.ts',
  'worker/ending.ts',
  'worker/completer.ts',
  'shared/postgres/statements/record.ts',
];
const BEGINNINGS = ['api/routes/jobs.ts', 'worker/consumer.ts'];

/** Each file of the story is there, and is imported by one that was told of before: the order of the story is that of the calls. */
export const lifeOfAJobInOrder: Rule = (files) => {
  const imports = graph(files);
  return lifeOfAJob.flatMap((path, index) => {
    if (!imports.has(path)) return [`${path} is missing`];
    const isCalled = lifeOfAJob.slice(0, index).some((earlier) => imports.get(earlier)?.includes(path));
    return isCalled || BEGINNINGS.includes(path)
      ? []
      : [`${path} is called by nothing that was told of before`];
  });
};

/** What everybody reads who wants to know what happens to a job: the story, and how a worker holds its part of it together. */
const mainPath = new Set([
  ...lifeOfAJob,
  'shared/rabbitmq/subscription.ts',
  'worker/held-jobs.ts',
  'worker/running-attempts.ts',
  'worker/takeover.ts',
  'worker/worker-parts.ts',
  'worker/worker.ts',
]);

/** The files of the main path are shorter still. */
export const shortMainPath: Rule = (files) =>
  files.flatMap(({ path, text }) => {
    const lines = linesOf(text);
    return mainPath.has(path) && lines > MAX_MAIN_PATH_LINES
      ? [`${path} is on the main path and has ${lines} lines`]
      : [];
  });

export interface FoundFunction {
  /** Where its body begins, from 1. */
  line: number;
  lines: number;
}

interface Block {
  line: number;
  /** What stands between the end of the last statement or block and the brace. */
  before: string;
  isFunction: boolean;
}

/** Every block that is no object, type, class or import: the bodies of functions, and the blocks within them. */
export function functionsOf(text: string): FoundFunction[] {
  const open: Block[] = [];
  const found: FoundFunction[] = [];
  let closed: Block | undefined;
  let line = 1;
  let before = '';
  for (const character of withoutTexts(text)) {
    if (character === '\n') line += 1;
    if (character === '{') open.push({ line, before, isFunction: opensFunction(before, closed) });
    if (character === '}') {
      closed = open.pop();
      if (closed?.isFunction) found.push({ line: closed.line, lines: line - closed.line + 1 });
    }
    before = '{};'.includes(character) ? '' : before + character;
  }
  return found;
}

function opensFunction(before: string, closed: Block | undefined): boolean {
  if (/\b(class|interface)\s+\w/.test(before) || /^\s*(import|export)\s*(type\s*)?$/.test(before))
    return false;
  if (before.trim() === '') return /\)\s*:\s*$/.test(closed?.before ?? ''); // `closed` was the type that is returned
  return /[)\w>\]]\s*$/.test(before) && !/\breturn\s*$/.test(before);
}

const commentOrString = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/y;
const regularExpression = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/\w*/y;
const templatePart = /(?:\\[\s\S]|[^`\\$]|\$(?!\{))*(?:`|\$\{)/y;

/** The code with comments, strings, templates and regular expressions blanked; line breaks stay, and so does the code within templates. */
export function withoutTexts(text: string): string {
  let code = '';
  let depth = 0;
  const templates: number[] = []; // the depths of braces at which the code within templates began
  const match = (pattern: RegExp, from: number): string => {
    pattern.lastIndex = from;
    return pattern.exec(text)?.[0] ?? '';
  };
  for (let at = 0; at < text.length; ) {
    const character = text[at] ?? '';
    let blanked = match(commentOrString, at);
    if (character === '/' && blanked === '' && /(?:^|[=(,:[!&|?{};+]|\breturn)\s*$/.test(code.slice(-40)))
      blanked = match(regularExpression, at);
    if (character === '`' || (character === '}' && templates.at(-1) === depth)) {
      if (character === '}') templates.pop();
      blanked = character + match(templatePart, at + 1);
      if (blanked.endsWith('${')) templates.push(depth);
    }
    if (blanked === '' && character === '{') depth += 1;
    if (blanked === '' && character === '}') depth -= 1;
    code += blanked === '' ? character : blanked.replaceAll(/[^\n]/g, ' ');
    at += Math.max(1, blanked.length);
  }
  return code;
}
