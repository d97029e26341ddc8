// Sends enqueue requests at a steady rate, one every so many milliseconds, however long the answers take.
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../stage/monotonic.ts';

export interface Sent {
  jobId: string;
  /** By the machine's monotonic clock. */
  sentAt: number;
  answeredAt: number;
}

const TIMEOUT_MS = 10_000;

/** Resolves when the last answer has come, in the order of the requests. `body`: of the n-th, from 0. Throws where one is not 202. */
export async function sendSteadily({
  url,
  perSecond,
  seconds,
  body,
}: {
  url: string;
  perSecond: number;
  seconds: number;
  body: (n: number) => object;
}): Promise<Sent[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 100 });
  const sending: Promise<Sent>[] = [];
  const beganAt = monotonicMs();
  const total = perSecond * seconds;
  while (sending.length < total) {
    const due = Math.min(total, Math.floor(((monotonicMs() - beganAt) / 1_000) * perSecond) + 1);
    while (sending.length < due) sending.push(send(url, agent, JSON.stringify(body(sending.length))));
    const nextAt = beganAt + (sending.length / perSecond) * 1_000;
    await delay(Math.max(0, nextAt - monotonicMs()));
  }
  try {
    return await Promise.all(sending);
  } finally {
    agent.destroy();
  }
}

function send(url: string, agent: Agent, body: string): Promise<Sent> {
  const { promise, resolve, reject } = Promise.withResolvers<Sent>();
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const sentAt = monotonicMs();
  const outgoing = request(
    `${url}/v1/jobs`,
    { method: 'POST', agent, headers, timeout: TIMEOUT_MS },
    (response) => {
      const answeredAt = monotonicMs();
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => {
        if (response.statusCode === 202) resolve({ jobId: JSON.parse(text).job.id, sentAt, answeredAt });
        else reject(new Error(`POST /v1/jobs: ${response.statusCode} ${text}`));
      });
    },
  );
  outgoing.on('timeout', () =>
    outgoing.destroy(new Error(`POST /v1/jobs took longer than ${TIMEOUT_MS} ms`)),
  );
  outgoing.on('error', reject);
  outgoing.end(body);
  return promise;
}
