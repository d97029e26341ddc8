/**
 * The settings of the counter's programs: environment variables.
 */
const DEFAULT_SECONDS = 5;
const MAX_SECONDS = 3_600;

/** How long it takes to serve one ticket: `TICKET_SECONDS`. Throws where that is no positive number. */
export function ticketSeconds(): number {
  const given = process.env['TICKET_SECONDS'] || String(DEFAULT_SECONDS);
  const seconds = Number(given);
  if (!(seconds > 0 && seconds <= MAX_SECONDS))
    throw new Error(`TICKET_SECONDS=${given} is not 0 to ${MAX_SECONDS} seconds`);
  return seconds;
}

/** Where the API of the counter is, and with which token it is asked. Throws where `API_URL` is missing. */
export function counterApi(): { url: string; token: string | undefined } {
  const url = process.env['API_URL'];
  if (!url) throw new Error('API_URL is missing: where the API of the counter is');
  return { url, token: process.env['API_TOKEN'] || undefined };
}

/** Where a program listens. */
export function listenAt(): { port: number; hostname: string } {
  return { port: Number(process.env['PORT'] || 3000), hostname: process.env['HOST'] || '127.0.0.1' };
}
