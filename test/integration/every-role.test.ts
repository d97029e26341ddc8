// Every route, page, form, command and method of gRPC with every role: who is let in is as the routes declare it, and what changes something stands in the audit with who
// did it, and to what. The routes are those that the API serves and the commands those of the table, so that none can be forgotten.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSync } from '@grpc/proto-loader';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { actOf } from '../../src/api/access/audited-act.ts';
import { roles } from '../../src/api/access/roles.ts';
import { apiCommands } from '../../src/cli/api-commands.ts';
import { describeRequests } from '../../src/cli/request-parts.ts';
import { pages, rpcs, table, unaudited } from '../api/access/route-roles.ts';
import { listOf } from '../api/access/tokens.ts';
import type { RunningApi } from '../support/api.ts';
import { createOfflineApp, startApi } from '../support/api.ts';
import { createTerminal, createWatchedTerminal, runWarren } from '../support/command-line.ts';
import { eventually } from '../support/eventually.ts';
import { callByPath, GrpcClient, jobsProto } from '../support/grpc.ts';
import { createDatabase, createVhost } from '../support/servers.ts';

const everybody = ['none', ...roles] as const;
type Person = (typeof everybody)[number];
const tokens = listOf(roles.map((role) => [`the ${role} token`, role]));
const nameOf = (person: Person) => tokens.find(({ role }) => role === person)?.name ?? '';

/** As the API declares them; what it does not describe are pages, whose roles are written down once more. */
const served = [
  ...new Set(
    createOfflineApp()
      .routes.filter(({ method }) => method !== 'ALL')
      .map(({ method, path }) => `${method} ${path}`),
  ),
];

let stack: AsyncDisposableStack;
let api: RunningApi;
let sql: postgres.Sql;
let declared: Record<string, { role: string; isAudited: boolean }>;
let emptyBody: string;

beforeAll(async () => {
  await using opened = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'warren-roles-'));
  opened.defer(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'tokens.json');
  writeFileSync(file, JSON.stringify(tokens));
  emptyBody = join(folder, 'body.json');
  writeFileSync(emptyBody, '{}');
  const database = opened.use(await createDatabase());
  const vhost = opened.use(await createVhost());
  const environment = { TOKENS_FILE: file, GRPC_PORT: '0' };
  api = opened.use(await startApi({ databaseUrl: database.url, amqpUrl: vhost.url, environment }));
  sql = postgres(database.url, { max: 1, fetch_types: false });
  opened.defer(() => sql.end());
  declared = await readDeclared();
  stack = opened.move();
});

afterAll(async () => await stack?.disposeAsync());

async function readDeclared(): Promise<typeof declared> {
  const { body } = await api.get('/openapi.json', headersOf('viewer'));
  const paths = body.paths as Record<string, Record<string, { 'x-role': string; 'x-audited'?: true }>>;
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => [
      `${method.toUpperCase()} ${path.replaceAll(/{(\w+)}/g, ':$1')}`,
      { role: operation['x-role'], isAudited: operation['x-audited'] === true },
    ]),
  );
  const shown = Object.entries(pages).map(([route, role]) => [
    route,
    { role, isAudited: route.startsWith('POST') && !(route in unaudited) },
  ]);
  return Object.fromEntries([...routes, ...shown]);
}

function headersOf(person: Person): Record<string, string> {
  return person === 'none' ? {} : { authorization: `Bearer the ${person} token` };
}

function mayUse(person: Person, role: string): boolean {
  return role === 'none' || everybody.indexOf(person) >= everybody.indexOf(role as Person);
}

/** Of a thing that there is none of, and that nobody else names: an entry of the audit is told by it. */
let things = 0;
function newThing(): string {
  things += 1;
  return String(4_000_000 + things);
}

/** Only its status matters, so that a stream is not read. */
async function ask(route: string, person: Person, thing: string): Promise<Response> {
  const [method = '', path = ''] = route.split(' ');
  const isForm = path.startsWith('/dashboard');
  const body = isForm ? `action=cancel&id=${thing}` : '{}';
  const type = isForm ? 'application/x-www-form-urlencoded' : 'application/json';
  const response = await fetch(api.url + path.replace(/:\w+/, thing), {
    method,
    redirect: 'manual',
    headers: { ...headersOf(person), ...(method === 'GET' ? {} : { 'content-type': type }) },
    ...(method === 'GET' ? {} : { body }),
  });
  return response;
}

interface Noted {
  who: string;
  role: string;
  act: string;
  target: string | null;
}

async function takeNoted(): Promise<Noted[]> {
  return await sql<Noted[]>`
    with taken as (delete from warren.audit returning id, who, role, act, target)
    select who, role, act, target from taken order by id`;
}

test('what is declared is what is written down, and there is no other route', () => {
  const roleOf = Object.fromEntries(Object.entries(declared).map(([route, { role }]) => [route, role]));
  expect(roleOf).toEqual({ ...table, ...pages });
  expect(served.sort()).toEqual(Object.keys(roleOf).sort());
});

test('every route, page and form lets in who may use it, and each act is noted with who did it to what', async () => {
  const wrong: string[] = [];
  const expected: Noted[] = [];
  for (const route of served) {
    const { role, isAudited } = declared[route] ?? { role: 'nobody', isAudited: false };
    const [method = '', path = ''] = route.split(' ');
    for (const person of everybody) {
      const thing = newThing();
      const response = await ask(route, person, thing);
      const text = response.headers.get('content-type')?.includes('event-stream')
        ? ''
        : await response.text();
      await response.body?.cancel().catch(() => {}); // it was read, or there is no more of it
      const isLetIn = mayUse(person, role);
      const refusal = person === 'none' ? 401 : 403;
      const isAsDeclared = isLetIn
        ? ![401, 403, 405, 500].includes(response.status) || route === 'POST /sign-in' // that form itself says 401
        : response.status === refusal;
      if (!isAsDeclared) wrong.push(`${route} with ${person}: ${response.status} ${text.slice(0, 200)}`);
      const target = path.includes(':') ? thing : null;
      if (isLetIn && isAudited)
        expected.push({ who: nameOf(person), role: person, act: actOf(method, path), target });
    }
  }
  expect(wrong).toEqual([]);
  expect(await takeNoted()).toEqual(expected);
  expect(expected.length).toBeGreaterThan(
    2 * Object.keys(pages).filter((route) => route.startsWith('POST')).length,
  );
});

test('every command that asks the API is refused and noted as its route is', async () => {
  const wrong: string[] = [];
  const expected: Noted[] = [];
  for (const { command, method, path, parts, hasBody } of describeRequests(apiCommands)) {
    const route = `${method} ${path.replaceAll(/{(\w+)}/g, ':$1')}`;
    const { role, isAudited } = declared[route] ?? { role: 'nobody', isAudited: false };
    for (const person of everybody) {
      const thing = newThing();
      const given = parts
        .filter(({ isArgument }) => isArgument)
        .map(({ place, kind, choices }) =>
          place === 'path' ? thing : kind === 'json' ? '{}' : (choices[0] ?? 'none'),
        );
      const body = hasBody ? ['--body', emptyBody] : [];
      const token: Record<string, string> = person === 'none' ? {} : { WARREN_TOKEN: `the ${person} token` };
      const terminal = command.isStream
        ? createWatchedTerminal((_, stop) => stop()) // it was let in
        : createTerminal();
      const args = [...command.name.split(' '), ...given, ...body, '--json'];
      const { code, err } = await runWarren(args, { WARREN_URL: api.url, ...token }, { terminal });
      const isLetIn = mayUse(person, role);
      if ((code === 5) === isLetIn) wrong.push(`${args.join(' ')} with ${person}: ${code} ${err}`);
      if (isLetIn && isAudited)
        expected.push({
          who: nameOf(person),
          role: person,
          act: actOf(method, path.replaceAll(/{(\w+)}/g, ':$1')),
          target: path.includes('{') ? thing : null,
        });
    }
  }
  expect(wrong).toEqual([]);
  expect(await takeNoted()).toEqual(expected);
});

test('every method of gRPC lets in who may use it, and each act is noted with who did it to what', async () => {
  const address = api.api.grpcAddress ?? '';
  const methods = Object.keys(loadSync(jobsProto)['warren.v1.Jobs'] ?? {});
  expect(methods.map((method) => `warren.v1.Jobs/${method}`).sort()).toEqual(
    Object.keys(rpcs)
      .filter((path) => path.startsWith('warren.'))
      .sort(),
  );
  using reflection = GrpcClient.reflection(address);
  const services = await reflection.services({ token: 'the viewer token' });
  expect(
    services.filter((service) => !Object.keys(rpcs).some((path) => path.startsWith(`${service}/`))),
  ).toEqual([]);

  const wrong: string[] = [];
  const expected: Noted[] = [];
  for (const [path, role] of Object.entries(rpcs))
    for (const person of everybody) {
      const thing = newThing();
      const bytes = Buffer.from(`\n${String.fromCharCode(thing.length)}${thing}`); // its first member: an id, mostly
      const token = person === 'none' ? {} : { token: `the ${person} token` };
      const end = await callByPath(address, path, { bytes, ...token });
      const isLetIn = mayUse(person, role);
      const refusal = person === 'none' ? 'UNAUTHENTICATED' : 'PERMISSION_DENIED';
      const isAsDeclared = isLetIn
        ? !['UNAUTHENTICATED', 'PERMISSION_DENIED', 'UNIMPLEMENTED', 'INTERNAL', 'UNKNOWN'].includes(end)
        : end === refusal;
      if (!isAsDeclared) wrong.push(`${path} with ${person}: ${end}`);
      if (isLetIn && role === 'operator' && !(path in unaudited))
        expected.push({
          who: nameOf(person),
          role: person,
          act: `jobs.${path.split('/')[1]?.toLowerCase()}`,
          target: thing,
        });
    }
  expect(wrong).toEqual([]);
  expect(expected.length).toBeGreaterThan(0);
  await eventually(
    () => sql`select from warren.audit where outcome is null`, // its end is noted behind the answer
    ({ length }) => length === 0,
  );
  expect(await takeNoted()).toEqual(expected);
});
