/**
 * The worker program of an application, from its settings in the environment to its exit: JSON lines on stdout.
 */
import { Events } from '#shared/observe/events.ts';
import { createLogger, logEvents } from '#shared/observe/log.ts';
import { LogOutput } from '#shared/observe/log-output.ts';
import { createMetrics } from '#shared/observe/metrics/metrics.ts';
import { loadApp } from '#shared/program/load-app.ts';
import { runProgram } from '#shared/program/shutdown.ts';
import { processName, readConfig } from '#shared/settings/config.ts';
import { findUnverifiedServers } from '#shared/settings/transport-security.ts';
import { DeletionCost } from './deletion-cost.ts';
import { serveHealth } from './health.ts';
import { Worker } from './worker.ts';
import { workerGauges } from './worker-gauges.ts';

/** `module` exports the application. Never returns: the process exits. */
export async function runWorker(module: string): Promise<void> {
  await runProgram(async () => {
    const app = await loadApp(module);
    const config = readConfig('worker', app);
    const name = processName('worker');
    const events = new Events();
    const output = new LogOutput(process.stdout, events);
    const log = createLogger({ name: 'worker', level: config.logLevel, output });
    logEvents(events, log);
    for (const sentence of findUnverifiedServers(config)) log.warn(sentence);
    const worker = new Worker({ config, name, app, events });
    const queues = [...app.queues.keys()];
    const metrics = createMetrics({
      events,
      types: app.definitions.keys(),
      queues,
      gauges: workerGauges(worker, queues),
    });
    const { podUrl } = config;
    const deletionCost = podUrl === undefined ? undefined : new DeletionCost({ podUrl, events });
    let closeHealth = async () => {};

    return {
      log,
      output,
      program: {
        failed: worker.failed,
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
