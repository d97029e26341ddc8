/**
 * Whoever takes the lines that events are worth.
 */

/** pino's shape, and that of `console`: what the line knows, then a sentence. A target that throws hurts nobody else. */
export interface LogTarget {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
