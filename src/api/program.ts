/**
 * The API program of an application, from its settings in the environment to its exit: JSON lines on stdout.
 */
import { prepareProgram } from '#shared/program/prepare.ts';
import { runProgram } from '#shared/program/shutdown.ts';
import { Api } from './api.ts';

/** `module` exports the application. Never returns: the process exits. */
export async function runApi(module: string): Promise<void> {
  await runProgram(async () => {
    const { app, config, name, events, log, output } = await prepareProgram('api', module);
    const api = new Api({ config, name, app, events });

    return {
      log,
      output,
      program: {
        failed: api.failed,
        start: async () => {
          const url = await api.listen();
          const grpc = api.grpcAddress === undefined ? {} : { grpc: api.grpcAddress };
          log.info({ connection: name, url, ...grpc }, 'api listening');
          await api.start();
          log.info({ url }, 'api serving');
        },
        stop: () => api.stop(),
      },
    };
  });
}
