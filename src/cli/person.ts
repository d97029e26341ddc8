/**
 * Who types a command, as the audit names him where no token does: `ada@build-7`.
 */
import { hostname, userInfo } from 'node:os';

export function personAtTerminal(): string {
  return `${userName()}@${hostname()}`;
}

/** Containers run under numbers that have no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'somebody');
  }
}
