/**
 * The API of the counter: take a ticket, look at one, look at the line. The website and the monitor stand on it.
 */
import type { Hono } from 'hono';
import type { RouteTools } from 'warren/app';
import { NotFound } from 'warren/app';
import type { Line, Ticket } from './counter.ts';
import { findTicket, readLine, takeTicket } from './counter.ts';
import { ticketSeconds } from './settings.ts';

const NUMBER = /^\d{1,9}$/;

export function registerRoutes(app: Hono, { query, document }: RouteTools): void {
  app.post('/tickets', async (c) => {
    const number = await query(takeTicket);
    return c.json({ number }, 201, { location: `/tickets/${number}` });
  });

  app.get('/tickets/:number', async (c) => {
    const given = c.req.param('number');
    const number = NUMBER.test(given) ? Number(given) : 0;
    const ticket = await query((sql) => findTicket(sql, number));
    if (ticket === undefined) throw new NotFound(`nobody has taken ticket ${given.slice(0, 20)}`);
    const { serving } = await query(readLine);
    return c.json({ ...ticket, expectedSeconds: expectedSeconds(ticket, serving) });
  });

  app.get('/line', async (c) => {
    const line = await query(readLine);
    const seconds = ticketSeconds();
    const serving = line.serving.map((ticket) => ({
      ...ticket,
      secondsLeft: Math.max(0, Math.ceil(seconds - ticket.seconds)),
    }));
    return c.json({ ...line, serving });
  });

  document({
    method: 'post',
    path: '/tickets',
    summary: 'Takes a ticket',
    responses: { 201: { description: 'It' } },
  });
  for (const path of ['/tickets/{number}', '/line'])
    document({
      method: 'get',
      path,
      'x-role': 'viewer',
      responses: { 200: { description: 'How things stand' } },
    });
}

/** Until it is served: what is left of those who are served now, and a turn for each that as many workers have to serve before it. */
function expectedSeconds({ state, place, servingSeconds }: Ticket, serving: Line['serving']): number {
  if (state === 'served') return 0;
  const seconds = ticketSeconds();
  const left = (served: number) => Math.max(0, seconds - served);
  if (state === 'serving') return Math.ceil(left(servingSeconds ?? 0));
  const nextFree = Math.min(...serving.map((ticket) => left(ticket.seconds)), seconds);
  const turns = Math.floor(place / Math.max(1, serving.length)) + 1;
  return Math.ceil((serving.length === 0 ? 0 : nextFree) + turns * seconds);
}
