/**
 * The worker program of an application, from its settings in the environment to its exit: JSON lines on stdout.
 */
import { createMetrics } from '#shared/observe/metrics/metrics.ts';
import { prepareProgram } from '#shared/program/prepare.ts';
import { runProgram } from '#shared/program/shutdown.ts';
import { DeletionCost } from './deletion-cost.ts';
import { serveHealth } from './health.ts';
import { Renewal } from './renewal.ts';
import { Worker } from './worker.ts';
import { workerGauges } from './worker-gauges.ts';

/** `module` exports the application. Never returns: the process exits. */
export async function runWorker(module: string): Promise<void> {
  await runProgram(async () => {
    const { app, config, name, events, log, output } = await prepareProgram('worker', module);
    const worker = new Worker({ config, name, app, events });
    const queues = [...app.queues.keys()];
    const metrics = createMetrics({
      events,
      types: app.definitions.keys(),
      queues,
      gauges: workerGauges(worker, queues),
    });
    const renewal = new Renewal({ limits: config.renewAfter, events });
    const { podUrl } = config;
    const deletionCost = podUrl === undefined ? undefined : new DeletionCost({ podUrl, events });
    let closeHealth = async () => {};

    return {
      log,
      output,
      program: {
        failed: worker.failed,
        done: Promise.race([renewal.due, worker.drainRequested]),
        start: async (stopping) => {
          const checks = () => worker.checks();
          const { host, workerHealthPort: port } = config;
          const health = await serveHealth({ host, port, metrics, alive: () => worker.alive, checks });
          closeHealth = health.close;
          log.info(
            { connection: name, healthPort: health.port, queues: config.workerQueues },
            'worker started',
          );
          deletionCost?.start();
          await worker.start(stopping);
        },
        stop: async () => {
          renewal[Symbol.dispose]();
          const { runningJobs } = worker;
          if (runningJobs > 0)
            log.info(
              { runningJobs, atMostMs: config.drainTimeoutMs },
              'waiting for running jobs; a second signal stops at once',
            );
          await worker.stop();
          await deletionCost?.stop();
          await closeHealth();
        },
      },
    };
  });
}
