/**
 * What the programs of an application begin with: the application, the settings for it, the events, and the log as JSON lines on stdout. Opens nothing.
 */
import type { App } from '../job/app.ts';
import { Events } from '../observe/events.ts';
import type { Logger } from '../observe/log.ts';
import { createLogger, logEvents } from '../observe/log.ts';
import { LogOutput } from '../observe/log-output.ts';
import type { Config } from '../settings/config.ts';
import { processName, readConfig } from '../settings/config.ts';
import { findUnverifiedServers } from '../settings/transport-security.ts';
import { loadApp } from './load-app.ts';

export interface Prepared {
  app: App;
  config: Config;
  /** The name of the program's connections. */
  name: string;
  events: Events;
  log: Logger;
  /** Where the log goes. */
  output: LogOutput;
}

/** `module` exports the application. Throws `Misconfigured`. */
export async function prepareProgram(role: 'api' | 'worker', module: string): Promise<Prepared> {
  const app = await loadApp(module);
  const config = readConfig(role, app);
  const events = new Events();
  const output = new LogOutput(process.stdout, events);
  const log = createLogger({ name: role, level: config.logLevel, output });
  logEvents(events, log);
  for (const sentence of findUnverifiedServers(config)) log.warn(sentence);
  return { app, config, name: processName(role), events, log, output };
}
