import type { ChannelModel, ConsumeMessage } from 'amqplib';
import { expect, test } from 'vitest';
import { Events } from '../../src/shared/observe/events.ts';
import { Acknowledgements } from '../../src/shared/rabbitmq/acknowledgements.ts';
import { BrokerConnection } from '../../src/shared/rabbitmq/connection.ts';
import { prepareTopology } from '../../src/shared/rabbitmq/topology.ts';
import { Consumer } from '../../src/worker/consumer.ts';
import { Slots } from '../../src/worker/slots.ts';
import { onChannel, readyCount, takeDeadLetters } from '../support/broker.ts';
import { eventually, HANG_MS } from '../support/eventually.ts';
import { createVhost } from '../support/servers.ts';
import { queueNames } from '../support/shop.ts';

const QUEUE = 'warren.default';

/** An open connection, and the system calls that it makes to write. */
async function open(url: string) {
  const connection = new BrokerConnection({
    url,
    name: 'test',
    events: new Events(),
    prepare: (model) => prepareTopology(model, queueNames),
  });
  connection.start();
  const model = await connection.opened(HANG_MS);
  const { stream } = model.connection as unknown as {
    stream: { _write: (...args: unknown[]) => void; _writev: (...args: unknown[]) => void };
  };
  const calls: number[] = [];
  const { _write: one, _writev: many } = stream;
  stream._write = (...args) => {
    calls.push(1);
    one.apply(stream, args);
  };
  stream._writev = (...args) => {
    calls.push((args[0] as unknown[]).length);
    many.apply(stream, args);
  };
  return { connection, model, calls };
}

/** Waits until the broker has them: a queue that was declared just now may lose what nobody waits for. */
async function publish(model: ChannelModel, bodies: readonly (number | string)[]): Promise<void> {
  const channel = await model.createConfirmChannel();
  for (const body of bodies) channel.sendToQueue(QUEUE, Buffer.from(String(body)));
  await channel.waitForConfirms();
  await channel.close();
}

test('acknowledgements of one turn never cover a delivery that is not settled', async () => {
  await using vhost = await createVhost();
  const { connection, model } = await open(vhost.url);
  await publish(model, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const channel = await model.createChannel();
  await channel.prefetch(10);
  const acknowledgements = new Acknowledgements(channel);
  const messages: ConsumeMessage[] = [];
  await channel.consume(QUEUE, (message) => {
    if (message === null) return;
    acknowledgements.delivered(message);
    messages.push(message);
  });
  await eventually(
    () => messages.length,
    (count) => count === 10,
  );
  const settle = async (bodies: string) => {
    for (const message of messages)
      if (bodies.includes(message.content.toString())) acknowledgements.ack(message);
    await channel.checkQueue(QUEUE); // an answer: what was written before it has arrived
  };
  await settle('0124'); // a run of the oldest, and one beyond
  await settle('6789'); // no run: 3 and 5 are older
  await settle('3'); // now 3 is the oldest
  await channel.close();
  await eventually(
    () => readyCount(vhost, QUEUE),
    (ready) => ready === 1,
  );
  const left = await onChannel(vhost, async (other) => await other.get(QUEUE, { noAck: true }));
  expect(left === false ? 'none' : left.content.toString()).toBe('5');
  await connection.stop();
});

test('what is written to the broker in one turn goes to the kernel at once', async () => {
  await using vhost = await createVhost();
  const { connection, model, calls } = await open(vhost.url);
  const channel = await model.createConfirmChannel();
  calls.length = 0;
  for (let n = 0; n < 50; n += 1) channel.publish('warren', 'default', Buffer.from('1'), { mandatory: true });
  await channel.waitForConfirms();
  expect(calls.filter((frames) => frames > 1)).toEqual([50]); // a heartbeat goes alone
  await channel.close();
  await connection.stop();
});

test('a dead letter is of one job of its message; where none can be sent the message is rejected, when its other jobs are done', async () => {
  await using vhost = await createVhost();
  const { connection, model } = await open(vhost.url);
  const letters: string[] = [];
  const done: string[] = [];
  const consumer = new Consumer({
    connection,
    events: new Events(),
    queue: 'default',
    prefetch: 20,
    priority: 0,
    tag: 'test',
    slots: new Slots({ slots: 20, onWaiting: () => {} }),
    run: async ({ id }) => {
      if (id.endsWith('2')) return { kind: 'dead-letter', reason: 'test' };
      done.push(id);
      return 'ack';
    },
    deadLetter: async ({ content }) => {
      if (String(content) === '22') throw new Error('the broker takes nothing');
      letters.push(String(content));
    },
  });
  await publish(model, ['11 12 13', '21 22 23']);
  consumer.start();
  await eventually(
    async () => await readyCount(vhost, 'warren.dead'),
    (dead) => dead === 1,
  );
  await consumer.idle();
  await consumer.close();
  expect(letters).toEqual(['12']);
  expect(done.toSorted()).toEqual(['11', '13', '21', '23']);
  expect((await takeDeadLetters(vhost)).map(({ body }) => body)).toEqual(['21 22 23']);
  expect(await readyCount(vhost, QUEUE)).toBe(0);
  await connection.stop();
});

test('what was acknowledged in the turn before a consumer closes is not redelivered', async () => {
  await using vhost = await createVhost();
  const { connection, model } = await open(vhost.url);
  await publish(
    model,
    Array.from({ length: 20 }, (_, n) => n + 1),
  );
  const all = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  let running = 0;
  const consumer = new Consumer({
    connection,
    events: new Events(),
    queue: 'default',
    prefetch: 20,
    priority: 0,
    tag: 'test',
    slots: new Slots({ slots: 20, onWaiting: () => {} }),
    run: async () => {
      running += 1;
      if (running === 20) all.resolve();
      await gate.promise;
      return 'ack';
    },
    deadLetter: async () => {},
  });
  consumer.start();
  await all.promise;
  gate.resolve();
  await consumer.idle();
  await consumer.close();
  await connection.stop(); // whatever was unacknowledged is back in the queue when the broker has seen it
  await eventually(
    async () => (await vhost.management.queues()).find(({ name }) => name === QUEUE)?.consumers,
    (consumers) => consumers === 0,
  );
  expect(await readyCount(vhost, QUEUE)).toBe(0);
});
