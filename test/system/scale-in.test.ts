// API processes come and go under load, as in a rolling update or a scale-in: no request may fail.
import { once } from 'node:events';
import type { Agent, IncomingMessage } from 'node:http';
import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import type { Program } from '../support/program.ts';
import { startProgram } from '../support/program.ts';
import type { TestDatabase } from '../support/servers.ts';
import { createDatabase } from '../support/servers.ts';
import { Service } from '../support/service.ts';

const CLIENTS = 100;
const STOPS = 10;
/** Between two requests of a client: its connection looks idle then. */
const MAX_THINK_MS = 200;
const HANG_MS = 60_000;

interface Pod {
  readonly program: Program;
  readonly port: number;
}

async function startPod(database: TestDatabase): Promise<Pod> {
  const program = await startProgram('api', {
    DATABASE_URL: database.url,
    AMQP_URL: 'none',
    PORT: '0',
    API_HOSTS: 'warren-api',
  });
  const { url } = await program.waitForLog('api serving', { timeoutMs: HANG_MS });
  return { program, port: Number(new URL(String(url)).port) };
}

/** As Kubernetes does it: whoever chooses the endpoints hears of the stop after the pod itself. */
async function stopPod({ program, port }: Pod, service: Service): Promise<void> {
  program.signal('SIGTERM');
  await eventually(
    async () => (await fetch(`http://127.0.0.1:${port}/readyz`, { headers: { connection: 'close' } })).status,
    (status) => status === 503,
    { timeoutMs: HANG_MS },
  );
  service.remove(port);
  expect(await program.exited).toEqual({ code: 0, signal: null });
}

async function enqueue(agent: Agent): Promise<number | undefined> {
  const sent = request({
    agent,
    host: 'warren-api',
    path: '/v1/jobs',
    method: 'POST',
    headers: { 'content-type': 'application/json' },
  });
  sent.end('{"type":"process-order","args":{"orderId":"1"}}');
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
  return response.statusCode;
}

class Load {
  answered = 0;
  readonly failures: string[] = [];
  #isOver = false;
  readonly #clients: Promise<void>[];

  constructor(service: Service, { keepAlive }: { keepAlive: boolean }) {
    this.#clients = Array.from({ length: CLIENTS }, () => this.#run(service.agent({ keepAlive })));
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#clients);
  }

  async #run(agent: Agent): Promise<void> {
    while (!this.#isOver) {
      try {
        const status = await enqueue(agent);
        this.answered += 1;
        if (status !== 202) this.failures.push(`status ${status}`);
      } catch (error) {
        this.failures.push(String(error));
      }
      await delay(Math.random() * MAX_THINK_MS);
    }
    agent.destroy();
  }
}

test.each([
  ['on kept-alive connections', { keepAlive: true }],
  ['each on a connection of its own', { keepAlive: false }],
])(
  `of the requests of ${CLIENTS} clients, %s, none fails while ${STOPS} API processes are stopped and replaced`,
  async (_how, how) => {
    await using database = await createDatabase();
    await using pods = new AsyncDisposableStack();
    const service = new Service();
    const addPod = async () => {
      const pod = await startPod(database);
      pods.use(pod.program);
      service.add(pod.port);
      return pod;
    };
    const running = [await addPod(), await addPod()];
    const load = new Load(service, how);
    for (let stop = 0; stop < STOPS; stop += 1) {
      const answeredBefore = load.answered;
      running.push(await addPod());
      await eventually(
        () => load.answered,
        (answered) => answered > answeredBefore + CLIENTS,
        { timeoutMs: HANG_MS },
      );
      await stopPod(running.shift() as Pod, service);
    }
    await load.end();
    expect(load.failures).toEqual([]);
  },
  600_000,
);
