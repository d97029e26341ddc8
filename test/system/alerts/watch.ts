// A Prometheus that watches the programs: with the documented configuration and the shipped rules, sixty times as fast.
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { documentedBlocks } from '../../support/documented.ts';
import { eventually } from '../../support/eventually.ts';
import { hurryRules } from '../../support/hurried-rules.ts';
import { Prometheus } from '../../support/prometheus.ts';
import type { AlertRule } from '../../support/promtool.ts';

const RULES = 'warren-rules.yaml';

/** As they are shipped. */
export const rules: AlertRule[] = parse(
  readFileSync(new URL(`../../../k8s/components/service-monitor/${RULES}`, import.meta.url), 'utf8'),
).groups[0].rules;

/** Between two scrapes in milliseconds: longer than the second that a scrape may wait for the servers. */
const SCRAPE_MS = 1_500;
const EVALUATE_MS = 500;
const LOOK_AGAIN_MS = 200;
/** In which an alert has to fire or to clear. Other work may share the machine. */
const ALERT_TIMEOUT_MS = 150_000;

export type Labels = Readonly<Record<string, string>>;

/** `host:port` of each process, by the job of the scrape. */
export type Targets = Readonly<Record<'warren-api' | 'warren-worker', readonly string[]>>;

export class AlertWatch implements AsyncDisposable {
  readonly #prometheus: Prometheus;

  private constructor(prometheus: Prometheus) {
    this.#prometheus = prometheus;
  }

  /** `token`: of the API. */
  static async start(targets: Targets, token: string): Promise<AlertWatch> {
    const files = {
      'warren-token': token,
      [RULES]: { groups: [{ name: 'warren', rules: hurryRules(rules) }] },
    };
    return new AlertWatch(await Prometheus.start(documentedConfiguration(targets), files));
  }

  /** The names of the alerts that are pending or firing now. */
  async active(): Promise<string[]> {
    return (await this.#prometheus.alerts()).map(({ labels }) => labels['alertname'] ?? '');
  }

  /** The names of the alerts that have fired in the last seconds. */
  async firedWithin(seconds: number): Promise<string[]> {
    const found = await this.#prometheus.query(
      `count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[${seconds}s]))`,
    );
    return found.map(({ metric }) => metric['alertname'] ?? '');
  }

  async firing(alert: string, labels: Labels): Promise<void> {
    await this.#until({ ...labels, alertname: alert }, (state) => state === 'firing', 'to fire');
  }

  /** Resolves when it has been inactive for some evaluations: one that comes back at once has not cleared. */
  async cleared(alert: string, labels: Labels): Promise<void> {
    let quiet = 0;
    const isQuiet = (state?: string) => {
      quiet = state === undefined ? quiet + 1 : 0;
      return quiet * LOOK_AGAIN_MS > SCRAPE_MS;
    };
    await this.#until({ ...labels, alertname: alert }, isQuiet, 'to clear');
  }

  /** Resolves when the process with this start time, in seconds since 1970, was scraped. */
  async scraped(pod: string, startTime: number): Promise<void> {
    await eventually(
      () => this.#prometheus.query(`process_start_time_seconds{pod="${pod}"}`),
      ([sample]) => Number(sample?.value[1]) === startTime,
      { everyMs: 100 },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#prometheus[Symbol.asyncDispose]();
  }

  async #until(labels: Labels, isWanted: (state?: string) => boolean, what: string): Promise<void> {
    const wanted = Object.entries(labels);
    const find = async () => {
      const alerts = await this.#prometheus.alerts();
      return alerts.find((alert) => wanted.every(([name, value]) => alert.labels[name] === value))?.state;
    };
    try {
      await eventually(find, isWanted, { timeoutMs: ALERT_TIMEOUT_MS, everyMs: LOOK_AGAIN_MS });
    } catch (error) {
      throw new Error(`waited for ${JSON.stringify(labels)} ${what}`, { cause: error });
    }
  }
}

interface ScrapeConfiguration {
  global: object;
  scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[];
}

/** The example of docs/alerts.md, with these addresses and shorter times. */
function documentedConfiguration(targets: Targets): object {
  const [text = ''] = documentedBlocks('alerts.md', 'yaml');
  const documented = parse(text) as ScrapeConfiguration;
  const times = { scrape_interval: SCRAPE_MS, scrape_timeout: SCRAPE_MS, evaluation_interval: EVALUATE_MS };
  return {
    ...documented,
    global: Object.fromEntries(Object.entries(times).map(([name, ms]) => [name, `${ms}ms`])),
    scrape_configs: documented.scrape_configs.map((scrape) => ({
      ...scrape,
      static_configs: scrape.static_configs.map((targeted) => ({
        ...targeted,
        targets: targets[scrape.job_name as keyof Targets],
      })),
    })),
  };
}
