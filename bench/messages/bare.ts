// The bare route of the message service: reads the message and answers like the publisher, and does nothing else. What Hono on Node can do here at best.
import { Hono } from 'hono';
import { HttpServer } from '../../src/shared/http/http-server.ts';

const app = new Hono();
let id = 0;
app.get('/readyz', (c) => c.text('ok'));
app.post('/message/publish', async (c) => {
  await c.req.json();
  id += 1;
  return c.json({ id: String(id) }, 202, { location: `/message/${id}` });
});
await new HttpServer({ fetch: app.fetch, host: '127.0.0.1', port: Number(process.env['PORT']) }).start();
