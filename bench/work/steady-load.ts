// Sends enqueue requests at a steady rate, one every so many milliseconds, however long the answers take.
import { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { sendRequest } from '../stage/http-request.ts';
import { monotonicMs } from '../stage/monotonic.ts';

export interface Sent {
  jobId: string;
  /** By the machine's monotonic clock. */
  sentAt: number;
  answeredAt: number;
}

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
  const jobs = new URL('/v1/jobs', url);
  const sending: Promise<Sent>[] = [];
  const beganAt = monotonicMs();
  const total = perSecond * seconds;
  while (sending.length < total) {
    const due = Math.min(total, Math.floor(((monotonicMs() - beganAt) / 1_000) * perSecond) + 1);
    while (sending.length < due) sending.push(send(jobs, agent, JSON.stringify(body(sending.length))));
    const nextAt = beganAt + (sending.length / perSecond) * 1_000;
    await delay(Math.max(0, nextAt - monotonicMs()));
  }
  try {
    return await Promise.all(sending);
  } finally {
    agent.destroy();
  }
}

async function send(url: URL, agent: Agent, body: string): Promise<Sent> {
  const sentAt = monotonicMs();
  const { status, text } = await sendRequest(url, { method: 'POST', agent, body });
  const answeredAt = monotonicMs();
  if (status !== 202) throw new Error(`POST /v1/jobs: ${status} ${text}`);
  return { jobId: JSON.parse(text).job.id, sentAt, answeredAt };
}
