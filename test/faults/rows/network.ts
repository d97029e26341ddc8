// Rows 13 and 26: a connection is there and nothing passes any more.
import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../../../bench/stage/monotonic.ts';
import { eventually } from '../../support/eventually.ts';
import type { Proxied } from '../stage/fault-stage.ts';
import type { Row, Scene } from '../stage/scene.ts';
import { checkAnswersInTime } from './broker.ts';

const BROKER_STALL_MS = 40_000;
const DATABASE_STALL_MS = 60_000;

const halfOpenBroker: Row = {
  number: 13,
  title: 'RabbitMQ falls silent: for the APIs, then for a worker',
  allowsExtraRuns: true,
  maxAmplification: 1.5,
  stage: { proxied: ['apiBroker', 'workerBroker'] },
  play: async (scene) => {
    const { load } = scene;
    const submitting = load.steady({ perSecond: scene.size(50), seconds: 95, ms: 50 });
    await delay(3_000);
    const from = monotonicMs();
    await stall(scene, { name: 'apiBroker', ms: BROKER_STALL_MS, member: scene.stage.apis[0] });
    await delay(5_000);
    await stall(scene, { name: 'workerBroker', ms: BROKER_STALL_MS, member: scene.stage.workers[0] });
    scene.healed();
    const to = monotonicMs();
    await submitting;
    checkAnswersInTime(scene, { from, to, maxMs: 1_000 });
  },
  judge: (scene, { figures }) => scene.atMost('extra_runs', 0, figures.extraRuns),
};

async function stall(
  scene: Scene,
  { name, ms, member }: { name: Proxied; ms: number; member: Scene['stage']['apis'][number] | undefined },
): Promise<void> {
  const proxy = scene.stage.proxy(name);
  const { connections } = proxy;
  const logs = member?.life.program.logs ?? [];
  const from = logs.length;
  const startedAt = monotonicMs();
  proxy.stall();
  const noticed = () =>
    logs.slice(from).some(({ msg }) => /is away, connecting again|presence lost/.test(msg ?? ''));
  await eventually(noticed, (seen) => seen, { timeoutMs: ms, everyMs: 50 }).catch(() => {});
  scene.prove(`${name}: connections that fell silent`, connections, connections > 0);
  scene.atMost(`${name}: noticed after, ms`, 15_000, noticed() ? monotonicMs() - startedAt : undefined);
  await delay(Math.max(0, ms - (monotonicMs() - startedAt)));
  proxy.resume();
}

const halfOpenDatabase: Row = {
  number: 26,
  title: 'Postgres falls silent for the APIs and a worker',
  allowsExtraRuns: true,
  maxAmplification: 3,
  stage: { proxied: ['apiDatabase', 'workerDatabase'] },
  play: async (scene) => {
    const { load, stage } = scene;
    const submitting = load.steady({ perSecond: scene.size(50), seconds: 30, ms: 50 });
    await delay(5_000);
    const from = monotonicMs();
    const connections = stage.proxy('apiDatabase').connections;
    stage.proxy('apiDatabase').stall();
    await stall(scene, { name: 'workerDatabase', ms: DATABASE_STALL_MS, member: stage.workers[0] });
    const to = monotonicMs();
    stage.proxy('apiDatabase').resume();
    scene.prove('apiDatabase: connections that fell silent', connections, connections > 0);
    scene.healed();
    await submitting;
    checkAnswersInTime(scene, { from, to, maxMs: 10_000 });
  },
  judge: (scene, { figures }) => scene.figure('extra runs', figures.extraRuns),
};

export const networkRows: readonly Row[] = [halfOpenBroker, halfOpenDatabase];
