/**
 * The worker monitor: a program of its own, for the screen on the wall.
 */
import { Hono } from 'hono';
import { registerMonitor } from './monitor-routes.ts';
import { serveUntilStopped } from './serve.ts';

const app = new Hono();
app.get('/', (c) => c.redirect('/monitor'));
registerMonitor(app);
serveUntilStopped(app);
