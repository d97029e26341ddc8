// Row 16: RabbitMQ holds other queues than ours, lacks a binding, or takes our rights away.

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import amqplib from 'amqplib';
import { monotonicMs } from '../../../bench/stage/monotonic.ts';
import { eventually } from '../../support/eventually.ts';
import { startFile } from '../../support/program.ts';
import type { Row, Scene } from '../stage/scene.ts';

const WITHOUT_RIGHTS_MS = 10_000;

const otherTopology: Row = {
  number: 16,
  title: 'Foreign queues, a missing binding, no rights',
  allowsExtraRuns: true,
  maxAmplification: 1.5,
  play: async (scene) => {
    const { load, stage } = scene;
    await refuseForeignQueue(scene);
    await refuseWrongPassword(scene);
    const submitting = load.steady({ perSecond: 20, seconds: 30, ms: 20, queue: 'default' });
    await unbind(scene);
    await takeRightsAway(scene);
    scene.healed();
    await submitting;
    await stage.ready();
  },
};

/** A worker and an API that cannot work end with one line that names what is wrong. */
async function refuseForeignQueue(scene: Scene): Promise<void> {
  const { servers, stage } = scene;
  const foreign = await servers.createVhost('fault_16_foreign');
  const connection = await amqplib.connect(foreign.url);
  const channel = await connection.createChannel();
  await channel.assertQueue('warren.default', { durable: true });
  await connection.close();
  for (const kind of ['api', 'worker'] as const) {
    const program = await startFile(join(stage.options.source, kind, 'main.ts'), {
      DATABASE_URL: stage.databaseUrl,
      AMQP_URL: foreign.url,
      PORT: '0',
      WORKER_HEALTH_PORT: '0',
    });
    const exit = await Promise.race([program.exited, delay(20_000)]);
    await program[Symbol.asyncDispose]();
    const text = [...program.logs.map(({ msg }) => msg), ...program.text].join(' ');
    scene.prove(`${kind} started on a foreign queue`, 'started', true);
    scene.exactly(`${kind}: exit code on a foreign queue`, 1, exit?.code ?? -1);
    const names = ['warren.default', 'inequivalent arg', 'received', 'current', 'delete it'].filter(
      (word) => !text.includes(word),
    );
    scene.check(
      `${kind}: its message names queue, argument, both values and the remedy`,
      'all',
      names.length === 0 ? 'all' : `not ${names.join(', ')}: ${text.slice(0, 900)}`,
      names.length === 0,
    );
  }
  await foreign.management.deleteVhost();
}

/** Not a reason to end: the broker's users may be made a moment later. It must say what is wrong, and never the password. */
async function refuseWrongPassword(scene: Scene): Promise<void> {
  const { stage } = scene;
  const url = new URL(stage.amqpUrl);
  url.password = 'canary';
  const program = await startFile(join(stage.options.source, 'worker/main.ts'), {
    DATABASE_URL: stage.databaseUrl,
    AMQP_URL: url.href,
    WORKER_HEALTH_PORT: '0',
  });
  await Promise.race([program.exited, delay(5_000)]);
  await program[Symbol.asyncDispose]();
  const text = [...program.logs.map((line) => JSON.stringify(line)), ...program.text].join(' ');
  const isTold = /ACCESS[_-]REFUSED/.test(text);
  scene.check(
    'a wrong password is told',
    'ACCESS_REFUSED',
    isTold ? 'ACCESS_REFUSED' : text.slice(0, 300),
    isTold,
  );
  scene.exactly('the password in the log', 'no', text.includes('canary') ? 'yes' : 'no');
}

/** Messages come back: the rows stay unpublished, and are published when the binding is there again. */
async function unbind(scene: Scene): Promise<void> {
  const { stage } = scene;
  const vhost = encodeURIComponent(new URL(stage.amqpUrl).pathname.slice(1));
  await stage.management.request('DELETE', `/bindings/${vhost}/e/warren/q/warren.default/default`);
  const returned = () =>
    [...stage.apis, ...stage.workers].filter(({ life }) =>
      life.program.logs.some(({ msg }) => msg === 'RabbitMQ has no queue for a job'),
    ).length;
  await eventually(returned, (count) => count > 0, { timeoutMs: 10_000, everyMs: 50 }).catch(() => {});
  scene.prove('programs that saw a returned message', returned(), returned() > 0);
  const unpublished = await stage.sql(
    async (sql) => await sql`select 1 from warren.jobs where state = 'available' and published_at is null`,
  );
  scene.check('returned messages stay unpublished', '> 0', unpublished.length, unpublished.length > 0);
  await stage.management.request('POST', `/bindings/${vhost}/e/warren/q/warren.default`, {
    routing_key: 'default',
  });
}

async function takeRightsAway(scene: Scene): Promise<void> {
  const { stage, servers } = scene;
  const { pathname, username } = new URL(stage.amqpUrl);
  const vhost = pathname.slice(1);
  await servers.rabbitmqctl('clear_permissions', '--vhost', vhost, username);
  await servers.rabbitmqctl('close_all_connections', '--vhost', vhost, 'fault');
  await delay(WITHOUT_RIGHTS_MS);
  const ready = await Promise.all(stage.workers.map((worker) => worker.isReady()));
  scene.exactly('workers that call themselves ready without rights', 0, ready.filter(Boolean).length);
  // An API goes on taking jobs without a broker: it answers 200, and says that it is degraded.
  const unaware = (await Promise.all(stage.apis.map((api) => api.readiness()))).filter(
    (answer) => answer !== '200 degraded',
  );
  scene.exactly('APIs that do not call themselves degraded without rights', 0, unaware.length);
  await servers.rabbitmqctl('set_permissions', '--vhost', vhost, username, '.*', '.*', '.*');
  const grantedAt = monotonicMs();
  await stage.ready();
  scene.atMost('ready again after the grant, ms', 10_000, monotonicMs() - grantedAt);
}

export const topologyRows: readonly Row[] = [otherTopology];
