/**
 * What a list of nameservers may look like. Pure.
 */
import { Resolver } from 'node:dns';

export function areNameservers(list: readonly string[]): boolean {
  try {
    new Resolver().setServers(list); // knows best what it takes
    return true;
  } catch {
    return false;
  }
}
