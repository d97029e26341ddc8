// What the start script of a RabbitMQ of ours finds in its environment.
// Built from nothing: a RABBITMQ_… or ERL_… variable of the user must not lead our node to his.
import { join } from 'node:path';

export interface NodeEnvironment {
  name: string;
  folder: string;
  logFolder: string;
  epmdPort: number;
  distributionPort: number;
  /** Arguments of the virtual machine, as on its command line. */
  erlangArgs: string;
}

export function rabbitmqEnvironment({
  name,
  folder,
  logFolder,
  epmdPort,
  distributionPort,
  erlangArgs,
}: NodeEnvironment): Record<string, string> {
  return {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    LANG: 'C.UTF-8',
    HOME: join(folder, 'home'),
    // Makes the start script become the server instead of its parent: one process, one pid.
    detached: 'true',
    ERL_EPMD_PORT: String(epmdPort),
    ERL_CRASH_DUMP_SECONDS: '0',
    RABBITMQ_NODENAME: name,
    RABBITMQ_DIST_PORT: String(distributionPort),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: erlangArgs,
    RABBITMQ_CONF_ENV_FILE: join(folder, 'rabbitmq-env.conf'),
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_CONFIG_FILES: join(folder, 'conf.d'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(folder, 'advanced.config'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
    RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
    RABBITMQ_LOG_BASE: logFolder,
    RABBITMQ_LOGS: join(logFolder, 'rabbitmq.log'),
  };
}
