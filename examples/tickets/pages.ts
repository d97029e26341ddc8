/**
 * The pages of the counter, made on the server. `live.js` keeps them up to date; without JavaScript the browser asks again every two seconds.
 */
import { html } from 'hono/html';
import type { Line, Ticket } from './counter.ts';

export type ShownTicket = Ticket & { expectedSeconds: number };
export type ShownLine = Omit<Line, 'serving'> & {
  serving: (Line['serving'][number] & { secondsLeft: number })[];
};
type Html = ReturnType<typeof html>;

const STYLE = `
  :root { color-scheme: light dark; font-family: system-ui, sans-serif; }
  body { max-width: 40rem; margin: 3rem auto; padding: 0 1rem; text-align: center; }
  .number { font-size: 6rem; font-weight: bold; margin: 1rem 0; }
  button { font-size: 1.5rem; padding: 0.8rem 2rem; }
  table { margin: 1rem auto; border-collapse: collapse; }
  td, th { padding: 0.3rem 1rem; text-align: left; }`;

/** `events`: where `live.js` listens. */
function page(title: string, main: Html, events?: string): Html {
  const live =
    events === undefined
      ? ''
      : html`<noscript><meta http-equiv="refresh" content="2"></noscript>
        <script src="/live.js" data-events="${events}" defer></script>`;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>${title}</title>
        <link rel="icon" href="data:,">
        <style>${STYLE}</style>
        ${live}
      </head>
      <body><main aria-live="polite">${main}</main></body>
    </html>`;
}

export function frontPage(): Html {
  return page(
    'The deli counter',
    html`<h1>The deli counter</h1>
      <form method="post" action="/tickets"><button>Take a ticket</button></form>
      <p><a href="/monitor">Now serving</a></p>`,
  );
}

export function ticketPage(ticket: ShownTicket): Html {
  const events = ticket.state === 'served' ? undefined : `/tickets/${ticket.number}/events`;
  return page(`Ticket ${ticket.number}`, ticketMain(ticket), events);
}

/** What changes on the page of a ticket. */
export function ticketMain({ number, state, place, expectedSeconds, servedBy }: ShownTicket): Html {
  if (state === 'served')
    return html`<h1>Thank you!</h1><p class="number">${number}</p><p>You have been served by ${servedBy}.</p>
      <p><a href="/">Take another ticket</a></p>`;
  const standing =
    state === 'serving'
      ? html`<p>It is your turn: ${servedBy} serves you.</p>`
      : html`<p>${place === 0 ? 'You are next.' : `${place} before you.`}</p>`;
  return html`<h1>Your ticket</h1><p class="number">${number}</p>${standing}
    <p>About <strong>${expectedSeconds} s</strong> to go.</p>`;
}

export function monitorPage(line: ShownLine): Html {
  return page('Now serving', monitorMain(line), '/monitor/events');
}

export function monitorMain({ serving, waiting, next, served }: ShownLine): Html {
  return html`<h1>Now serving</h1>
    <p class="number">${serving.length === 0 ? '–' : serving.map(({ number }) => number).join(', ')}</p>
    <table>
      <thead><tr><th>worker</th><th>ticket</th><th>left</th></tr></thead>
      <tbody>
        ${serving.map(({ worker, number, secondsLeft }) => html`<tr><td>${worker}</td><td>${number}</td><td>${secondsLeft} s</td></tr>`)}
      </tbody>
    </table>
    <p>${waiting} waiting${waiting > 0 ? `: ${next.join(', ')}${waiting > next.length ? ' …' : ''}` : ''}, ${served} served</p>`;
}

export function missingPage(): Html {
  return page('No such ticket', html`<h1>No such ticket</h1><p><a href="/">Take one</a></p>`);
}

/** Puts what the server sends into the page; a page that is done ends it. */
export const LIVE_SCRIPT = `
const source = new EventSource(document.currentScript.dataset.events);
source.addEventListener('main', ({ data }) => { document.querySelector('main').innerHTML = data; });
source.addEventListener('done', () => source.close());
`;
