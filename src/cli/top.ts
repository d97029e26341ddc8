/**
 * The command `warren top`: queues, workers and throughput in the terminal, live or once, and the pods of a cluster beside them.
 */
import type { Command } from 'commander';
import { aborted, resolvedWithin, sleep } from '#shared/base/backoff.ts';
import { Unavailable } from '#shared/base/errors.ts';
import type { ConnectionOptions } from './add-api-commands.ts';
import { appOption, openConnection, secondsOption, urlOption } from './add-api-commands.ts';
import type { ApiConnection } from './api-connection.ts';
import { ClusterWatcher } from './cluster/cluster-watcher.ts';
import type { WantedCluster } from './cluster/open-cluster.ts';
import { openCluster } from './cluster/open-cluster.ts';
import { exitCodeOfError, exitCodeOfStatus, exitCodes } from './exit-code.ts';
import { tellProblem } from './run-request.ts';
import type { Terminal } from './terminal.ts';
import { Screen, textOptions } from './terminal.ts';
import type { Fleet, Look, Refusal } from './top-look.ts';
import { FleetReader, toJson } from './top-look.ts';
import { toPicture } from './top-picture.ts';

interface TopOptions extends ConnectionOptions, WantedCluster {
  every: number;
  once?: true;
  json?: true;
  pods?: true;
}

const CTRL_C = '\u0003';
/** The tools of the clouds that fetch a token take seconds. */
const CLUSTER_DEADLINE_MS = 15_000;
/** The first picture waits so long for the cluster; then it is shown without. */
const FIRST_PICTURE_MS = 3_000;

export function addTop(program: Command, terminal: Terminal): void {
  const command = program.command('top');
  command
    .summary('Queues, workers and throughput, live, and the pods of a cluster; q ends')
    .description(
      'Queues, workers and throughput, live; q ends. Needs the role viewer. With --pods, also the autoscalers and pods of a namespace in Kubernetes, as the kubeconfig (KUBECONFIG) reaches it: docs/scale-out.md.',
    )
    .addOption(secondsOption('--every <seconds>', 'look again every so many seconds').default(1))
    .option('--once', 'look once and end')
    .option('--json', 'print each look as one line of JSON, for programs')
    .option('--pods', 'also pods with their CPU and memory, and autoscalers')
    .option('--namespace <name>', 'of the pods; defaults to that of the context')
    .option('--context <name>', 'of the kubeconfig; defaults to its current one')
    .option('--selector <labels>', 'only what has these labels: app.kubernetes.io/part-of=warren')
    .option(...urlOption)
    .option(...appOption)
    .action(async (options: TopOptions) => {
      const ofPods = (['namespace', 'context', 'selector'] as const).filter(
        (name) => options[name] !== undefined,
      );
      if (options.pods !== true && ofPods.length > 0)
        command.error(`error: --${ofPods.join(', --')} chooses pods, and wants --pods`);
      await using stack = new AsyncDisposableStack();
      const cluster = await watchCluster(options);
      if (cluster !== undefined) stack.defer(async () => await cluster.watcher.stop());
      const connection = stack.use(await openConnection(options));
      await (options.once === true ? showOnce : watch)({ connection, cluster, options, terminal });
    });
}

interface WatchedCluster {
  watcher: ClusterWatcher;
  namespace: string;
}

/** Undefined where no pods are wanted. */
async function watchCluster(options: TopOptions): Promise<WatchedCluster | undefined> {
  if (options.pods !== true) return undefined;
  const { cluster, namespace } = await openCluster(options);
  const watcher = new ClusterWatcher({
    open: () => cluster,
    intervalMs: options.every * 1_000,
    deadlineMs: CLUSTER_DEADLINE_MS,
  });
  watcher.start();
  return { watcher, namespace };
}

interface Top {
  connection: ApiConnection;
  cluster: WatchedCluster | undefined;
  options: TopOptions;
  terminal: Terminal;
}

/** The exit code tells what could not be seen: 5 where it was refused, 6 where nobody answered. */
async function showOnce({ connection, cluster, options, terminal }: Top): Promise<void> {
  const answer = await lookAtFleet(new FleetReader(connection), { isNeeded: cluster === undefined });
  if ('status' in answer) {
    tellProblem(answer, terminal);
    return;
  }
  await cluster?.watcher.untilAsked();
  const look = toLook(answer, { connection, cluster });
  terminal.out.write(`${options.json === true ? toJson(look) : toPicture(look, textOptions(terminal))}\n`);
  const pods = look.cluster?.pods;
  if (answer instanceof Unavailable) terminal.setExitCode(exitCodeOfError(answer));
  else if (pods?.ok === false)
    terminal.setExitCode(
      pods.status === undefined ? exitCodes.unavailable.code : exitCodeOfStatus(pods.status),
    );
}

async function watch({ connection, cluster, options, terminal }: Top): Promise<void> {
  using keys = endByKey(terminal);
  using screen = new Screen(terminal);
  const reader = new FleetReader(connection);
  let last: Fleet | undefined;
  if (cluster !== undefined)
    await Promise.race([
      resolvedWithin(cluster.watcher.untilAsked(), FIRST_PICTURE_MS),
      aborted(keys.signal),
    ]);
  while (!keys.signal.aborted) {
    const isNeeded = cluster === undefined && last === undefined;
    const answer = await lookAtFleet(reader, { isNeeded });
    if ('status' in answer) {
      tellProblem(answer, terminal);
      return;
    }
    const look = toLook(answer, { connection, cluster });
    last = look.fleet ?? last;
    if (options.json === true) terminal.out.write(`${toJson(look)}\n`);
    else screen.draw(toPicture({ ...look, fleet: last }, textOptions(terminal))); // what was seen last stays, and is said to be old
    await sleep(options.every * 1_000, keys.signal);
  }
}

/** Where the fleet is needed, throws `Unavailable` instead of answering with it. */
async function lookAtFleet(
  reader: FleetReader,
  { isNeeded }: { isNeeded: boolean },
): Promise<Fleet | Refusal | Unavailable> {
  try {
    return await reader.read();
  } catch (error) {
    if (isNeeded || !(error instanceof Unavailable)) throw error;
    reader.forget();
    return error;
  }
}

function toLook(
  answer: Fleet | Unavailable,
  { connection, cluster }: Pick<Top, 'connection' | 'cluster'>,
): Look {
  const isAway = answer instanceof Unavailable;
  return {
    at: new Date(),
    fleet: isAway ? undefined : answer,
    note: isAway ? answer.message : connection.remark,
    cluster: cluster && { ...cluster.watcher.snapshot(), namespace: cluster.namespace },
  };
}

/** `q` and Ctrl-C end it. While keys are read one by one the terminal makes no signal of Ctrl-C. */
function endByKey({ input, stopping }: Terminal): Disposable & { signal: AbortSignal } {
  const ending = new AbortController();
  const onKeys = (keys: Buffer) => {
    if (/[qQ]/.test(`${keys}`) || keys.includes(CTRL_C)) ending.abort();
  };
  const isTerminal = input.isTTY === true;
  if (isTerminal) input.setRawMode(true).on('data', onKeys).resume();
  return {
    signal: AbortSignal.any([stopping(), ending.signal]),
    [Symbol.dispose]: () => {
      if (isTerminal) input.off('data', onKeys).setRawMode(false).pause();
    },
  };
}
