// What raises alerts, and how it is undone.
import { setTimeout as delay } from 'node:timers/promises';
import type { AlertStage } from './stage.ts';

/** Takes the cause away. */
export type Undo = () => Promise<unknown> | unknown;

export interface Cause {
  /** What has happened. */
  what: string;
  /** The alerts that this raises, each with the labels that tell it from others of its name. */
  raises: (stage: AlertStage) => Readonly<Record<string, Readonly<Record<string, string>>>>;
  provoke: (stage: AlertStage) => Promise<Undo>;
}

/** All alerts of an installation have it: docs/alerts.md names it so. */
const namespace = 'shop';

/** As `raises` for causes that do not depend on addresses. */
export function raise(alerts: Readonly<Record<string, Readonly<Record<string, string>>>>): Cause['raises'] {
  return () =>
    Object.fromEntries(Object.entries(alerts).map(([alert, labels]) => [alert, { namespace, ...labels }]));
}

/** Does it again and again, until the signal; what is under way then is waited for. */
export async function repeat(act: () => Promise<unknown>, everyMs: number, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    await act();
    await delay(everyMs);
  }
}
