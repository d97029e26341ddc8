// The command line of `npm run bench:scale-out`. Pure: everything that is wrong with it is reported together.
import type { Flag } from '../../dev/command-line.ts';
import { parseFlags, helpText as renderHelp } from '../../dev/command-line.ts';
import type { Environment } from '../../dev/environment.ts';
import type { LoadPlan, LoadType } from './load-plan.ts';
import { loadTypes } from './load-plan.ts';

export interface ScaleOutOptions {
  url: URL;
  token: string | undefined;
  namespace: string;
  context: string | undefined;
  databaseUrl: string | undefined;
  /** False: somebody else sends the load. */
  isSending: boolean;
  plan: LoadPlan;
  requests: number;
  concurrency: number;
  maxWaiting: number;
  beforeMs: number;
  /** Infinity: until told. */
  loadMs: number;
  /** The longest that is waited for the fleet to be small again. */
  afterMs: number;
  intervalMs: number;
  out: string;
}

const flags = {
  url: {
    value: 'URL',
    default: 'http://127.0.0.1:3000',
    meaning: 'the API; a Service or NodePort, so that all pods get their share',
  },
  namespace: { value: 'NAME', default: 'warren', meaning: 'the namespace that is watched' },
  context: { value: 'NAME', meaning: 'the context of the kubeconfig; its current one otherwise' },
  minutes: { value: 'N', meaning: 'how long the load lasts; until Ctrl-C otherwise' },
  requests: { value: 'N', default: '3000', meaning: 'requests of a round' },
  concurrency: { value: 'N', default: '100', meaning: 'requests at a time' },
  type: { value: 'TYPE', default: 'process-order', meaning: `what is enqueued: ${loadTypes.join(', ')}` },
  batch: {
    value: 'N',
    default: '1',
    meaning: 'jobs per request; with 1, process-order goes through GET /api/test/:id',
  },
  orders: {
    value: 'N',
    default: '10000',
    meaning: 'orders 1 to N are asked for (`npm run seed` makes 10 000)',
  },
  days: { value: 'N', default: '60', meaning: 'days of each build-report' },
  'webhook-url': { value: 'URL', meaning: 'where deliver-webhook delivers, as GET' },
  'max-waiting': { value: 'N', default: '50000', meaning: 'the load waits while more jobs than this do' },
  before: { value: 'SECONDS', default: '30', meaning: 'how long is watched before the load' },
  after: {
    value: 'MINUTES',
    default: '15',
    meaning: 'how long the fleet has to become small again, at most',
  },
  interval: { value: 'SECONDS', default: '2', meaning: 'how often everything is looked at' },
  out: {
    value: 'FOLDER',
    default: 'bench/results/scale-out',
    meaning: 'where README.md, timeline.json and timeline.svg are written',
  },
  watch: { meaning: 'sends nothing: somebody else does' },
} as const satisfies Record<string, Flag>;

export const helpText = renderHelp({
  name: 'npm run bench:scale-out',
  about: [
    'Drives load against the API and watches the fleet follow it: pods, autoscalers, queues, Postgres.',
    '',
    'Environment: API_TOKEN; KUBECONFIG; DATABASE_URL for connections to Postgres.',
    'Ctrl-C ends the load, once more the watching; either way the results are written.',
  ].join('\n'),
  flags,
});

/** Undefined: help is wanted. Throws one error that names everything that is wrong. */
export function parseOptions(
  args: readonly string[],
  environment: Pick<Environment, 'apiToken' | 'databaseUrl'>,
): ScaleOutOptions | undefined {
  const values = parseFlags(flags, args);
  if (values instanceof Error) throw values;
  if (values['help'] === true) return undefined;
  const problems: string[] = [];
  const textOf = (name: keyof typeof flags) => values[name]?.toString();
  const number = (name: keyof typeof flags, { min, isWhole = true }: { min: number; isWhole?: boolean }) => {
    const text = textOf(name);
    const value = Number(text);
    if (text?.trim() && value >= min && value <= 1e9 && (!isWhole || Number.isInteger(value))) return value;
    problems.push(`--${name} must be a ${isWhole ? 'whole ' : ''}number from ${min}`);
    return min;
  };
  const plan = readPlan({ textOf, number, problems });
  const options: ScaleOutOptions = {
    url: readUrl('url', textOf('url'), problems),
    token: environment.apiToken,
    namespace: textOf('namespace') ?? '',
    context: textOf('context'),
    databaseUrl: environment.databaseUrl,
    isSending: values['watch'] !== true,
    plan,
    requests: number('requests', { min: 1 }),
    concurrency: number('concurrency', { min: 1 }),
    maxWaiting: number('max-waiting', { min: 1 }),
    beforeMs: number('before', { min: 0, isWhole: false }) * 1_000,
    loadMs:
      textOf('minutes') === undefined
        ? Number.POSITIVE_INFINITY
        : number('minutes', { min: 0, isWhole: false }) * 60_000,
    afterMs: number('after', { min: 0, isWhole: false }) * 60_000,
    intervalMs: number('interval', { min: 0.2, isWhole: false }) * 1_000,
    out: textOf('out') ?? '',
  };
  if (problems.length > 0) throw new Error(problems.join('; '));
  return options;
}

interface PlanSources {
  textOf: (name: keyof typeof flags) => string | undefined;
  number: (name: keyof typeof flags, limits: { min: number }) => number;
  problems: string[];
}

/** The API takes at most so many jobs at once. */
const MAX_BATCH = 10_000;

function readPlan({ textOf, number, problems }: PlanSources): LoadPlan {
  const type = textOf('type') ?? '';
  if (!isLoadType(type)) problems.push(`--type must be one of ${loadTypes.join(', ')}`);
  const webhookUrl = textOf('webhook-url');
  if (type === 'deliver-webhook') readUrl('webhook-url', webhookUrl, problems);
  const batch = number('batch', { min: 1 });
  if (batch > MAX_BATCH) problems.push(`--batch must be at most ${MAX_BATCH}`);
  return {
    type: isLoadType(type) ? type : 'process-order',
    batch,
    orders: number('orders', { min: 1 }),
    days: number('days', { min: 1 }),
    webhookUrl,
  };
}

function readUrl(name: string, text: string | undefined, problems: string[]): URL {
  const url = URL.parse(text ?? '');
  if (url !== null && ['http:', 'https:'].includes(url.protocol)) return url;
  problems.push(`--${name} must be a URL that begins with http:// or https://`);
  return new URL('http://127.0.0.1');
}

function isLoadType(text: string): text is LoadType {
  return loadTypes.some((type) => type === text);
}
