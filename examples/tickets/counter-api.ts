/**
 * The counter's API as the website and the monitor call it.
 */
import type { ShownLine, ShownTicket } from './pages.ts';
import { counterApi } from './settings.ts';

const TIMEOUT_MS = 5_000;

async function call(path: string, method = 'GET'): Promise<Response> {
  const { url, token } = counterApi();
  return await fetch(new URL(path, url), {
    method,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
}

async function read<T>(response: Response): Promise<T> {
  if (!response.ok) throw new Error(`the API answered ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

export async function take(): Promise<number> {
  return (await read<{ number: number }>(await call('/tickets', 'POST'))).number;
}

/** Undefined where nobody has taken it. */
export async function find(number: string): Promise<ShownTicket | undefined> {
  const response = await call(`/tickets/${encodeURIComponent(number)}`);
  if (response.status === 404) return undefined;
  return await read<ShownTicket>(response);
}

export async function line(): Promise<ShownLine> {
  return await read<ShownLine>(await call('/line'));
}

export async function isReady(): Promise<boolean> {
  const response = await call('/livez').catch(() => undefined);
  return response?.ok ?? false;
}
