/**
 * Who may do what: four roles, each of which may do what those before it may. Pure.
 *
 * `metrics` reads numbers, `viewer` reads everything, `operator` makes jobs and acts on jobs and queues, `admin` does everything else.
 */
export const roles = ['metrics', 'viewer', 'operator', 'admin'] as const;

export type Role = (typeof roles)[number];

/** Who sends a request. */
export interface Identity {
  /** Of the token, as it stands in log lines. */
  name: string;
  role: Role;
}

export function allows(role: Role, needed: Role): boolean {
  return roles.indexOf(role) >= roles.indexOf(needed);
}
