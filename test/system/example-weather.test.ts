// The weather as its README tells to run it, and its counts with readers, workers and the gateway killed while reports come in.
// `npm run example:weather-kills` plays the second part with 20 000 reports and ten kills of each.
import { existsSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';
import { protoPath as healthProto } from 'grpc-health-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { weather } from '../../dev/boards/weather.ts';
import { signalProcess } from '../../dev/running-process.ts';
import { eventually, HANG_MS } from '../support/eventually.ts';
import type { RunningExample } from '../support/example.ts';
import { startExample } from '../support/example.ts';

interface Counts {
  countries: Record<string, number>;
  total: number;
}

interface BothCounts {
  redis: Counts;
  valkey: Counts;
  equal: boolean;
  difference: Counts;
}

const reports = Number(process.env['WEATHER_REPORTS'] ?? 1_000);
const kills = Number(process.env['WEATHER_KILLS'] ?? 2);
const countries = ['GT', 'DE', 'Brazil', 'Japan'];
const folder = '.services/test/examples/weather';
let example: RunningExample;

beforeAll(async () => {
  rmSync(folder, { recursive: true, force: true }); // counts of an earlier run
  example = await startExample('weather');
});

afterAll(async () => {
  await example[Symbol.asyncDispose]();
});

async function send(body: unknown, key: string): Promise<Response> {
  return await fetch(`${example.url}/weather`, {
    method: 'POST',
    headers: { 'idempotency-key': key },
    body: JSON.stringify(body),
  });
}

/** As a caller does that wants its reports counted: the same again until they are accepted. */
async function sendUntilAccepted(body: unknown, key: string): Promise<void> {
  const status = async () => (await send(body, key).catch(() => undefined))?.status;
  await eventually(status, (answer) => answer === 202, { everyMs: 200 });
}

async function counts(): Promise<BothCounts | undefined> {
  const response = await fetch(`${example.url}/weather/counts`);
  return response.ok ? ((await response.json()) as BothCounts) : undefined; // 503 while the gateway is away
}

/** Of the process that was started last under this name. */
function pidOf(name: string): number {
  const line = example.text.findLast((text) =>
    new RegExp(`^(  ${name} .*|${name} runs again )\\(pid \\d+\\)`).test(text),
  );
  return Number(/\(pid (\d+)\)/.exec(line ?? '')?.[1]);
}

function addressOf(name: string, kind: RegExp): string {
  const line = example.text.find((text) => text.startsWith(`  ${name} `)) ?? '';
  return kind.exec(line)?.[1] ?? '';
}

test('the commands of its README work as they stand there', async () => {
  const [accepted = '', many = '', again = '', refused = ''] = await example.tryCommands();
  expect(accepted).toMatch(/^HTTP\/1.1 202 /);
  expect(JSON.parse(many)).toMatchObject({ id: 'monday', jobIds: [expect.any(String), expect.any(String)] });
  expect(again).toBe(many);
  expect(JSON.parse(refused)).toMatchObject({ status: 422, errors: [{ pointer: '/country' }] });
  const shown = await eventually(counts, (both) => both?.redis.total === 3 && both.equal);
  expect(shown).toMatchObject({
    redis: { countries: { GT: 2, Germany: 1 }, weather: { rainy: 1, sunny: 1, foggy: 1 } },
    valkey: { countries: { GT: 2, Germany: 1 }, weather: { rainy: 1, sunny: 1, foggy: 1 } },
    difference: { countries: {}, total: 0 },
  });
});

test.each([
  ['a list with a wrong report', [{ description: 'x', country: 'GT', weather: '7' }], '/0/weather'],
  ['a report without a description', { country: 'GT', weather: 'sunny' }, '/description'],
  ['a member that a report has not', { description: 'x', country: 'GT', weather: 'sunny', x: 1 }, ''],
])('%s is refused by its place', async (_, body, pointer) => {
  const response = await send(body, 'wrong');
  expect(response.status).toBe(422);
  expect(await response.json()).toMatchObject({ errors: [{ pointer }] });
});

test('a key that was used for another report is refused', async () => {
  const report = { description: 'It rains', country: 'GT', weather: 'rainy' };
  await sendUntilAccepted(report, 'once');
  expect((await send({ ...report, country: 'DE' }, 'once')).status).toBe(422);
  expect((await send([report], 'once')).status).toBe(202); // a list has keys of its own
  await eventually(counts, (both) => both?.redis.total === 5 && both.equal);
});

test('every metric that the board asks for is one that the programs expose', async () => {
  const urls = ['edge', 'gateway', 'reader', 'worker', 'api'].map((name) => addressOf(name, /(http:\S+)/));
  const pages = await Promise.all(urls.map(async (url) => (await fetch(`${url}/metrics`)).text()));
  const exposed = new Set(
    pages.flatMap((page) => [...page.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name)),
  );
  const asked = weather.rows
    .flatMap(({ panels }) => panels.flatMap(({ series }) => series.map(([expression]) => expression)))
    .flatMap((expression) => expression.match(/\b(weather|warren)_\w+(?=\{)/g) ?? [])
    .map((name) => name.replace(/_(bucket|sum|count)$/, ''));
  expect(new Set(asked).size).toBeGreaterThan(7);
  expect(asked.filter((name) => !exposed.has(name))).toEqual([]);
});

type Unary = (request: object, callback: (error: Error | null, reply: object) => void) => void;

test('the gateway answers for its health, and tells what it serves', async () => {
  const address = addressOf('gateway', /grpc (\S+)/);
  const reflectionProto = resolve(
    import.meta.dirname,
    '../../node_modules/@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto',
  );
  const loaded = grpc.loadPackageDefinition(protoLoader.loadSync([healthProto, reflectionProto]));
  const { health, reflection } = loaded['grpc'] as unknown as {
    health: { v1: { Health: grpc.ServiceClientConstructor } };
    reflection: { v1: { ServerReflection: grpc.ServiceClientConstructor } };
  };
  const healthClient = new health.v1.Health(address, grpc.credentials.createInsecure());
  const check = (healthClient['Check'] as unknown as Unary).bind(healthClient);
  const status = await new Promise<object>((succeed, fail) => {
    check({ service: 'weather.v1.Weather' }, (error, reply) =>
      error === null ? succeed(reply) : fail(error),
    );
  });
  expect(status).toMatchObject({ status: 1 });
  healthClient.close();

  const reflectionClient = new reflection.v1.ServerReflection(address, grpc.credentials.createInsecure());
  const call = (
    reflectionClient['ServerReflectionInfo'] as unknown as () => grpc.ClientDuplexStream<object, object>
  ).call(reflectionClient);
  call.write({ listServices: '' });
  call.end();
  const replies: object[] = [];
  for await (const reply of call as AsyncIterable<object>) replies.push(reply);
  expect(JSON.stringify(replies)).toContain('"weather.v1.Weather"');
  reflectionClient.close();
});

test(
  `the counts are exact and equal on both sides after ${reports} reports with ${kills} kills of reader, worker and gateway`,
  async () => {
    const before = (await counts())?.redis ?? { countries: {}, total: 0 };
    const size = 100;
    const lists = Array.from({ length: reports / size }, (_, list) =>
      Array.from({ length: size }, (_each, index) => ({
        description: `report ${list * size + index}`,
        country: countries[(list + index) % countries.length] ?? '',
        weather: index % 2 === 0 ? 'sunny' : 'rainy',
      })),
    );
    const perKill = lists.length / kills;
    for (let kill = 0; kill < kills; kill += 1) {
      const slice = lists.slice(kill * perKill, (kill + 1) * perKill);
      const sent = slice.map((list, index) => sendUntilAccepted(list, `kill-${kill}-${index}`));
      await Promise.race(sent); // the others are under way, and what is accepted is being counted
      const killed = ['reader', 'worker', 'gateway'].map((name) => ({ name, pid: pidOf(name) }));
      for (const { pid } of killed) signalProcess(pid, 'SIGKILL');
      await Promise.all(sent);
      for (const { name, pid } of killed)
        await eventually(
          () => pidOf(name),
          (now) => now !== pid,
        );
    }
    const shown = await eventually(
      counts,
      (both) => both?.equal === true && both.redis.total >= before.total + reports,
    );
    const expected = Object.fromEntries(
      countries.map((country) => [country, reports / countries.length + (before.countries[country] ?? 0)]),
    );
    expect(shown).toMatchObject({
      redis: { countries: expected, total: before.total + reports },
      valkey: { countries: expected, total: before.total + reports },
    });
  },
  HANG_MS + kills * 60_000,
);

test('Ctrl-C ends it with exit code 0 and leaves nothing', async () => {
  expect(existsSync(`${folder}/programs.json`)).toBe(true);
  expect(await example.stop()).toBe(0);
  for (const record of ['programs.json', 'processes.json'])
    expect(existsSync(`${folder}/${record}`)).toBe(false);
  await expect(fetch(example.url)).rejects.toThrow();
});
