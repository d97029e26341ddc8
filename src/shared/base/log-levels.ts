/**
 * How severe a line of a log is: pino's levels, the least severe first. `silent` is above all of them.
 */
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

export type LogLevel = (typeof logLevels)[number];
