/**
 * A gauge that is read at the time of the scrape, from a server or from a part of the process.
 *
 * Guarantees: a scrape waits a second at most for it, and one that cannot be read is left out of the answer: a missing number is better than a
 * wrong one.
 */
import type { Registry } from '@prometheus-io/client';
import { Gauge } from '@prometheus-io/client';
import { withDeadline } from '../../base/backoff.ts';
import { Unavailable } from '../../base/errors.ts';

/** Reads a gauge: one number, or one per label value. `labels` names the labels. */
export interface GaugeSource {
  name: string;
  help: string;
  labels?: readonly string[];
  read: () => Promise<readonly GaugeReading[]> | readonly GaugeReading[];
}

export interface GaugeReading {
  labels?: Record<string, string>;
  value: number;
}

const READ_DEADLINE_MS = 1_000;

export function addGauge(registry: Registry, { name, help, labels = [], read }: GaugeSource): void {
  new Gauge({
    name,
    help,
    labelNames: [...labels],
    registers: [registry],
    async collect() {
      this.reset();
      try {
        const readings = await withDeadline(
          Promise.resolve(read()),
          READ_DEADLINE_MS,
          () => new Unavailable('late', name),
        );
        for (const { labels: values = {}, value } of readings) this.set(values, value);
      } catch {
        if (labels.length === 0) this.remove(); // its source is away: no number, where `reset` has left a 0
      }
    },
  });
}
