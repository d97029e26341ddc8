// The shipped alert rules at sixty times their speed: minutes become seconds. A test that provokes the causes for real cannot wait for a quarter of an hour.
import type { AlertRule } from './promtool.ts';

/** A `for`, or the window of a range: `5m`. */
const MINUTES = /^(\d+)m$/;
/** A bound in seconds: `…_seconds) > 300`. One below a minute is no time that somebody waits, but a latency. */
const BOUND = /(_seconds(?:\{[^}]*\})?\)* [<>]=? )(\d+(?:\.\d+)?)/g;

/**
 * The same rules with every `for`, every window and every bound in seconds divided by sixty; nothing else changes. Throws where a time is not in whole
 * minutes: it would stay as long as it is.
 */
export function hurryRules(rules: readonly AlertRule[]): AlertRule[] {
  return rules.map((rule) => ({
    ...rule,
    expr: hurryExpression(rule.expr),
    ...(rule.for === undefined ? {} : { for: hurryTime(rule.for) }),
  }));
}

function hurryExpression(expression: string): string {
  return expression
    .replaceAll(/\[([^\]]+)\]/g, (_, window: string) => `[${hurryTime(window)}]`)
    .replaceAll(BOUND, (text, before: string, seconds: string) =>
      Number(seconds) < 60 ? text : `${before}${Number(seconds) / 60}`,
    );
}

function hurryTime(time: string): string {
  const [, minutes] = MINUTES.exec(time) ?? [];
  if (minutes === undefined) throw new Error(`${time} is no time in whole minutes`);
  return `${minutes}s`;
}
