// The users and the bound that a cluster's RabbitMQ gets, played by the program on a vhost of the test: what they suffice for, and what they refuse.
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import amqp from 'amqplib';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { prepareTopology } from '../../src/shared/rabbitmq/topology.ts';
import { eventually, HANG_MS } from '../support/eventually.ts';
import { startFile } from '../support/program.ts';
import type { TestVhost } from '../support/servers.ts';
import { createVhost } from '../support/servers.ts';
import { queueNames } from '../support/shop.ts';

const suffix = randomBytes(4).toString('hex');
const programs = { username: `programs-${suffix}`, password: randomBytes(12).toString('hex') };
const monitor = { username: `monitor-${suffix}`, password: randomBytes(12).toString('hex') };
const management = new URL(inject('managementUrl'));
const folder = mkdtempSync(join(tmpdir(), 'warren-users-'));
let vhost: TestVhost;

beforeAll(async () => {
  vhost = await createVhost();
  const administrator = {
    username: decodeURIComponent(management.username),
    password: decodeURIComponent(management.password),
  };
  for (const [name, user] of Object.entries({ administrator, programs, monitor })) {
    mkdirSync(join(folder, name));
    for (const [key, text] of Object.entries(user)) writeFileSync(join(folder, name, key), text);
  }
});

afterAll(async () => {
  for (const { username } of [programs, monitor])
    await vhost.management.request('DELETE', `/users/${username}`);
  await vhost[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

async function grant() {
  const env = { RABBITMQ_MANAGEMENT_URL: management.origin, BROKER_USERS: folder, BROKER_VHOST: vhost.name };
  await using program = await startFile('dev/container/broker-access.ts', env);
  return { code: (await program.exited).code, text: program.text };
}

test('the program makes both users known, and does it again without harm', async () => {
  for (const _ of [1, 2])
    expect(await grant()).toEqual({
      code: 0,
      text: [`${programs.username} and ${monitor.username} are known, the dead letters bounded`],
    });
});

test("the programs' user declares what Warren has, and nothing else", async () => {
  const url = new URL(vhost.url);
  Object.assign(url, programs);
  const connection = await amqp.connect(url.href);
  try {
    await prepareTopology(connection, queueNames);
    const channel = await connection.createChannel();
    channel.on('error', () => undefined);
    await expect(channel.assertQueue('warrens')).rejects.toThrow('ACCESS_REFUSED');
  } finally {
    await connection.close();
  }
  expect((await ask(programs, 'users')).status).toBe(401);
});

test('the dead letters are bounded by the policy, though their queue was declared without a bound', async () => {
  const queue = await eventually(
    async () =>
      vhost.management.request<{ policy?: string; effective_policy_definition?: unknown }>(
        'GET',
        `/queues/${encodeURIComponent(vhost.name)}/warren.dead`,
      ),
    (found) => found?.policy !== undefined && found.policy !== null,
  );
  expect(queue).toMatchObject({
    policy: 'warren.dead',
    effective_policy_definition: {
      'max-length': 50_000,
      'max-length-bytes': 67_108_864,
      overflow: 'drop-head',
    },
  });
});

test("the monitor's user sees the queues, and may not touch them", async () => {
  const path = `queues/${encodeURIComponent(vhost.name)}`;
  const answer = await ask(monitor, path);
  expect(answer.status).toBe(200);
  const names = ((await answer.json()) as { name: string }[]).map(({ name }) => name);
  expect(names).toContain('warren.default');
  const refused = await ask(monitor, `${path}/warren.default/contents`, 'DELETE');
  expect([401, 403]).toContain(refused.status);
  expect((await ask(monitor, 'users')).status).toBe(401);
});

async function ask({ username, password }: typeof monitor, path: string, method = 'GET'): Promise<Response> {
  return await fetch(`${management.origin}/api/${path}`, {
    method,
    headers: { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` },
    signal: AbortSignal.timeout(HANG_MS),
  });
}
