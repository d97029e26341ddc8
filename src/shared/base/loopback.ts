/**
 * Which hosts are this very machine: nobody on the network can be reached by them, or reach them.
 */

/** `host`: a name or an address, without a port; IPv6 with or without brackets. */
export function isLoopback(host: string): boolean {
  return (
    host === '::1' ||
    host === '[::1]' ||
    /^127(\.\d{1,3}){3}$/.test(host) ||
    host.toLowerCase() === 'localhost'
  );
}
