/**
 * A counter that stands at 0 for every value of its label that can be known beforehand. A rate over a counter that appears with its first event does
 * not see that event.
 */
import type { Registry } from '@prometheus-io/client';
import { Counter } from '@prometheus-io/client';

export interface CounterOptions {
  name: string;
  help: string;
  /** Its one label and the values that are known. Defaults to no label. */
  label?: { name: string; values: readonly string[] };
}

export function createCounter(registry: Registry, { name, help, label }: CounterOptions): Counter<string> {
  const labelNames = label === undefined ? [] : [label.name];
  const counter = new Counter({ name, help, labelNames, registers: [registry] });
  if (label !== undefined) for (const value of label.values) counter.inc({ [label.name]: value }, 0);
  return counter;
}
