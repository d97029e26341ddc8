/**
 * Where the commands send their requests: an API somewhere, over HTTP with a token, or the same API within this process, on the servers themselves. So there is
 * one implementation of every act, and one shape of every answer.
 *
 * Guarantees: a token goes to the URL that was given and nowhere else, and into no message; every wait has a deadline.
 */
import { sleep, withDeadline } from '#shared/base/backoff.ts';
import { Misconfigured, Unavailable } from '#shared/base/errors.ts';
import { assertReachable } from '#shared/postgres/assert-reachable.ts';
import type { CommandTarget } from '#shared/settings/config.ts';
import { personAtTerminal } from './person.ts';

export interface ApiConnection extends AsyncDisposable {
  /** `path` from `/v1` on. Throws `Unavailable` where nothing answers. */
  request(path: string, init?: RequestInit): Promise<Response>;
  /** What people should know of it beside its answers. */
  readonly remark?: string | undefined;
}

/** How long the servers may take to be there. */
const START_MS = 10_000;
/** RabbitMQ is asked for a few numbers alone. */
const BROKER_MS = 2_000;
const POLL_MS = 20;
/** An answer may take so long to begin; a request that waits for the end of a job takes up to a minute. */
const ANSWER_MS = 90_000;

/** `loadModule` gives the name of the application's module, which only the way on the servers needs. */
export async function connect(target: CommandTarget, loadModule: () => string): Promise<ApiConnection> {
  return target.kind === 'api' ? connectToApi(target) : await connectToServers(target, loadModule());
}

function connectToApi({ url, token }: CommandTarget & { kind: 'api' }): ApiConnection {
  const { username, password, host } = new URL(url);
  if (username !== '' || password !== '')
    throw new Misconfigured('WARREN_URL has a user in it: give a token, in WARREN_TOKEN');
  return {
    request: async (path, { headers, signal, ...init } = {}) => {
      const all = new Headers(headers);
      if (token !== undefined) all.set('authorization', `Bearer ${token}`);
      const late = new AbortController();
      const timer = setTimeout(() => late.abort(), ANSWER_MS);
      const signals = [late.signal, ...(signal ? [signal] : [])];
      try {
        return await fetch(url + path, {
          ...init,
          headers: all,
          signal: AbortSignal.any(signals),
          redirect: 'error', // the token is for this server
        });
      } catch (error) {
        if (signal?.aborted) throw error;
        throw new Unavailable(
          'api_unavailable',
          `nothing answers at ${host}: ${reasonOf(error, late)}`,
          error,
        );
      } finally {
        clearTimeout(timer);
      }
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

function reasonOf(error: unknown, late: AbortController): string {
  if (late.signal.aborted) return `no answer within ${ANSWER_MS / 1_000} s`;
  const { code, message } = Object((error as Error).cause ?? error) as { code?: string; message?: string };
  return code ?? message ?? 'the request failed';
}

async function connectToServers(
  { databaseUrl, amqpUrl, settings }: CommandTarget & { kind: 'servers' },
  module: string,
): Promise<ApiConnection> {
  const [{ Warren }, { loadApp }] = await Promise.all([
    import('#warren.ts'), // heavy: only those who need it load it
    import('#shared/program/load-app.ts'),
  ]);
  await using stack = new AsyncDisposableStack();
  const warren = stack.use(new Warren({ app: await loadApp(module), databaseUrl, amqpUrl, settings }));
  await assertReachable(databaseUrl);
  await withDeadline(
    warren.start(),
    START_MS,
    () => new Unavailable('postgres_unavailable', `Postgres was not ready within ${START_MS / 1_000} s`),
  );
  const api = warren.http({ isOpen: true, actor: personAtTerminal() });
  const request = async (path: string, init?: RequestInit) =>
    await api.request(`http://localhost${path}`, init);
  const remark = (await isBrokerThere(request))
    ? undefined
    : 'RabbitMQ is not there: its numbers are missing, and what is enqueued goes out later';
  const opened = stack.move();
  return { request, remark, [Symbol.asyncDispose]: async () => await opened.disposeAsync() };
}

/** The connection is made in the background. Where there is to be no broker, it counts as there. */
async function isBrokerThere(request: (path: string) => Promise<Response>): Promise<boolean> {
  const until = performance.now() + BROKER_MS;
  while (performance.now() < until) {
    const { status } = (await (await request('/readyz')).json()) as { status: string };
    if (status === 'ok') return true;
    await sleep(POLL_MS);
  }
  return false;
}
