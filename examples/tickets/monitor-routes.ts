/**
 * The page for the screen on the wall: who is served, by whom, how long still, and who waits.
 */
import type { Hono } from 'hono';
import { isReady, line } from './counter-api.ts';
import { Live } from './live.ts';
import { LIVE_SCRIPT, monitorMain, monitorPage } from './pages.ts';

export function registerMonitor(app: Hono): void {
  const live = new Live();
  app.get('/monitor', async (c) => c.html(await monitorPage(await line())));
  app.get('/monitor/events', (c) =>
    live.stream(c, 'monitor', async () => ({ text: String(await monitorMain(await line())), isDone: false })),
  );
  app.get('/live.js', (c) => c.body(LIVE_SCRIPT, 200, { 'content-type': 'text/javascript' }));
  app.get('/livez', (c) => c.json({}));
  app.get('/readyz', async (c) => c.json({}, (await isReady()) ? 200 : 503));
}
