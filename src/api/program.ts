/**
 * The API program of an application, from its settings in the environment to its exit: JSON lines on stdout.
 */
import { Events } from '#shared/observe/events.ts';
import { createLogger, logEvents } from '#shared/observe/log.ts';
import { LogOutput } from '#shared/observe/log-output.ts';
import { loadApp } from '#shared/program/load-app.ts';
import { runProgram } from '#shared/program/shutdown.ts';
import { processName, readConfig } from '#shared/settings/config.ts';
import { findUnverifiedServers } from '#shared/settings/transport-security.ts';
import { Api } from './api.ts';

/** `module` exports the application. Never returns: the process exits. */
export async function runApi(module: string): Promise<void> {
  await runProgram(async () => {
    const app = await loadApp(module);
    const config = readConfig('api', app);
    const name = processName('api');
    const events = new Events();
    const output = new LogOutput(process.stdout, events);
    const log = createLogger({ name: 'api', level: config.logLevel, output });
    logEvents(events, log);
    for (const sentence of findUnverifiedServers(config)) log.warn(sentence);
    const api = new Api({ config, name, app, events });

    return {
      log,
      output,
      program: {
        failed: api.failed,
        start: async () => {
          const url = await api.listen();
          log.info({ connection: name, url }, 'api listening');
          await api.start();
          log.info({ url }, 'api serving');
        },
        stop: () => api.stop(),
      },
    };
  });
}
