// Rows 17 and 18: messages that say too much, and messages that say nothing.
import { setTimeout as delay } from 'node:timers/promises';
import amqplib from 'amqplib';
import { eventually } from '../../support/eventually.ts';
import { shuffled } from '../stage/random.ts';
import type { Row, Scene } from '../stage/scene.ts';

interface Message {
  queue: string;
  body: string | Buffer;
  type?: string;
}

/** Publishes as a stranger would, and waits for the confirms. */
export async function publishAll(
  scene: Scene,
  messages: readonly Message[],
  perSecond = 1_000,
): Promise<void> {
  const connection = await amqplib.connect(scene.stage.amqpUrl);
  try {
    const channel = await connection.createConfirmChannel();
    for (const [index, { queue, body, type }] of messages.entries()) {
      channel.publish('warren', queue, Buffer.from(body), type === undefined ? {} : { type });
      if (index % 50 === 49) await delay(50_000 / perSecond);
    }
    await channel.waitForConfirms();
    await channel.close();
  } finally {
    await connection.close();
  }
}

async function jobMessages(scene: Scene): Promise<Message[]> {
  return await scene.stage.sql(
    async (sql) =>
      await sql<{ body: string; queue: string }[]>`select id as body, queue from warren.jobs order by id`,
  );
}

async function sumMetric(scene: Scene, name: string, label = ''): Promise<number> {
  const values = await Promise.all(scene.stage.workers.map((worker) => worker.metric(name, label)));
  return values.reduce((sum, value) => sum + value, 0);
}

const SUPPRESSED = 'warren_deliveries_suppressed_total';

const duplicates: Row = {
  number: 17,
  title: 'Every message comes three times',
  isCore: true,
  maxAmplification: 3.3,
  play: async (scene) => {
    const { load, random } = scene;
    const half = scene.size(1_000);
    const submitting = load.burst(half, { ms: 100 });
    let doubled: Message[] = [];
    while (doubled.length < half) {
      const known = await jobMessages(scene);
      const fresh = known.slice(doubled.length);
      await publishAll(scene, shuffled([...fresh, ...fresh], random), 10_000);
      doubled = known;
      await delay(20);
    }
    await submitting;
    await scene.stage.drain();
    await load.burst(half, { ms: 20 });
    await scene.stage.drain();
    const completed = (await jobMessages(scene)).slice(half);
    await publishAll(scene, shuffled([...completed, ...completed], random), 10_000);
    const expected = half * 4;
    const suppressed = await eventually(
      async () => await sumMetric(scene, SUPPRESSED),
      (count) => count >= expected,
      { timeoutMs: 20_000, everyMs: 250 },
    ).catch(async () => await sumMetric(scene, SUPPRESSED));
    scene.prove('messages published a second and a third time', expected, true);
    scene.exactly('duplicates suppressed', expected, suppressed);
    scene.healed();
  },
};

const LOST_ID = '9007199254740993'; // no such row
/** What is wrong with a body, and whether it must come to `warren.dead` (else it is acknowledged and forgotten). */
const garbage: readonly { what: string; body: string | Buffer; type?: string }[] = [
  { what: 'no JSON, no id', body: 'hello' },
  { what: 'empty', body: '' },
  { what: 'one megabyte', body: Buffer.alloc(1_048_576, 0x78) },
  { what: 'unknown id', body: LOST_ID },
  { what: 'id 0', body: '0' },
  { what: 'negative id', body: '-1' },
  { what: 'beyond bigint', body: '9223372036854775808' },
  { what: 'exponent', body: '1e3' },
  { what: 'prototype', body: '__proto__' },
  { what: 'JSON', body: '{"id":1,"__proto__":{"polluted":true}}' },
  { what: 'no text', body: Buffer.from([0xff, 0xfe, 0x00, 0x80]) },
];

const garbageMessages: Row = {
  number: 18,
  title: 'Garbage among good messages',
  isCore: true,
  maxAmplification: 2.5,
  play: async (scene) => {
    const { stage, load, random } = scene;
    await load.burst(20, { ms: 5 });
    await stage.drain();
    const finished = (await jobMessages(scene))
      .slice(0, 20)
      .map((message) => ({ ...message, type: 'no-such-type' }));
    const count = scene.size(980);
    const bad = Array.from({ length: count }, (_, index) => {
      const body = garbage[index % garbage.length]?.body ?? '';
      return { body: body.length > 1_000 && index > 50 ? 'x'.repeat(100) : body, queue: 'default' };
    });
    const messages = shuffled([...bad, ...finished], random);
    await Promise.all([publishAll(scene, messages), load.burst(scene.size(980), { ms: 20 })]);
    scene.expectedDead = count;
    scene.prove('bad messages published', messages.length, true);
    await eventually(
      async () => await sumMetric(scene, 'warren_dead_letters_total'),
      (dead) => dead >= count,
      { timeoutMs: 30_000, everyMs: 250 },
    ).catch(() => {});
    scene.exactly('parked in warren.dead', count, await sumMetric(scene, 'warren_dead_letters_total'));
    scene.exactly(
      'finished ids acknowledged',
      finished.length,
      await sumMetric(scene, SUPPRESSED, 'reason="ended"'),
    );
    scene.healed();
  },
  judge: async (scene) => {
    const reasons = await readReasons(scene);
    scene.exactly(
      'dead letters without a reason',
      0,
      reasons.filter((reason) => reason === undefined).length,
    );
  },
};

async function readReasons(scene: Scene): Promise<unknown[]> {
  const connection = await amqplib.connect(scene.stage.amqpUrl);
  try {
    const channel = await connection.createChannel();
    const reasons: unknown[] = [];
    for (;;) {
      const message = await channel.get('warren.dead', { noAck: true });
      if (message === false) return reasons;
      reasons.push(message.properties.headers?.['x-warren-reason']);
    }
  } finally {
    await connection.close();
  }
}

export const messageRows: readonly Row[] = [duplicates, garbageMessages];
