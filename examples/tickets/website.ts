/**
 * The website, where people take a ticket and wait. A program of its own: it has no access to Postgres or RabbitMQ.
 */
import { Hono } from 'hono';
import { find, take } from './counter-api.ts';
import { Live } from './live.ts';
import { registerMonitor } from './monitor-routes.ts';
import { frontPage, missingPage, ticketMain, ticketPage } from './pages.ts';
import { serveUntilStopped } from './serve.ts';

const app = new Hono();
const live = new Live();
const wantsJson = (accept: string | undefined) => accept?.includes('application/json') ?? false;

app.get('/', (c) => c.html(frontPage()));

app.post('/tickets', async (c) => {
  const number = await take();
  if (wantsJson(c.req.header('accept'))) return c.json({ number }, 201, { location: `/tickets/${number}` });
  return c.redirect(`/tickets/${number}`, 303);
});

app.get('/tickets/:number', async (c) => {
  const ticket = await find(c.req.param('number'));
  if (wantsJson(c.req.header('accept'))) return c.json(ticket ?? { title: 'Not Found' }, ticket ? 200 : 404);
  return ticket === undefined ? c.html(missingPage(), 404) : c.html(ticketPage(ticket));
});

app.get('/tickets/:number/events', (c) => {
  const number = c.req.param('number');
  return live.stream(c, number, async () => {
    const ticket = await find(number);
    const shown = ticket === undefined ? missingPage() : ticketMain(ticket);
    return { text: String(await shown), isDone: ticket === undefined || ticket.state === 'served' };
  });
});

registerMonitor(app);
serveUntilStopped(app);
