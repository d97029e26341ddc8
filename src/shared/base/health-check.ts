/**
 * What /readyz says of one thing that a program needs. Anybody may read it: its words are general, and name no host, user or address.
 */
export interface Check {
  /** False: it is not as it should be. */
  ok: boolean;
  /** How it is, for people. */
  detail?: string;
}
