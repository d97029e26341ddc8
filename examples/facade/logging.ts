/**
 * A logging-service: writes messages into the log that it shares with the others, and reads it. It knows neither the queue nor the other services.
 */
import { hostname } from 'node:os';
import { Hono } from 'hono';
import postgres from 'postgres';
import { logMessage, readLog } from './log.ts';
import { message } from './message.ts';
import { serveUntilStopped } from './serve.ts';
import { servers } from './settings.ts';

const sql = postgres(servers().databaseUrl, { max: 4 });
const service = `${hostname()}:${process.pid}`;
const app = new Hono();

app.post('/log', async (c) => {
  await logMessage(sql, message.parse(await c.req.json()), service);
  return c.body(null, 204);
});

app.get('/log', async (c) => c.json(await readLog(sql)));

serveUntilStopped({ app, start: () => sql`select`, stop: () => sql.end({ timeout: 5 }) });
