/**
 * What a request does, as the audit notes it: the act by its route, the target by its path, from where, and what was to be changed. Pure.
 *
 * Guarantees: arguments of jobs are never in it, for they may hold secrets; it is bounded.
 */
import type { Context } from 'hono';
import type { ActEnd, NewAuditEntry } from '#queue/audit.ts';
import type { Identity } from './roles.ts';

declare module 'hono' {
  interface ContextVariableMap {
    /** What a form of the dashboard asks for. Undefined for everything else: a body of JSON is known from its validation. */
    form: Readonly<Record<string, string | string[]>> | undefined;
  }
}

/** Of texts that anybody may send. */
const MAX_CHARACTERS = 200;
/** Of what was to be changed, as JSON: the ids of as many jobs as can be chosen in the dashboard fit. */
const MAX_CHANGES = 8_000;
const VERBS: Readonly<Record<string, string>> = {
  POST: 'create',
  PUT: 'set',
  PATCH: 'edit',
  DELETE: 'delete',
};

/** As `jobs.cancel`, for `POST /v1/jobs/:id/cancel`. */
export function actOf(method: string, pattern: string): string {
  const [first, ...rest] = pattern.split('/').filter((segment) => segment !== '');
  if (first !== 'v1' && first !== 'dashboard') return `${method} ${pattern}`;
  const [kind = '', ...after] = rest;
  const last = after.at(-1);
  return `${kind}.${last === undefined || last.startsWith(':') ? (VERBS[method] ?? method.toLowerCase()) : last}`;
}

/** The value of the route's first parameter. */
export function targetOf(path: string, pattern: string): string | null {
  const names = pattern.split('/');
  const values = path.split('/').slice(-names.length);
  const at = names.findIndex((name) => name.startsWith(':'));
  if (at === -1) return null;
  const value = values[at] ?? '';
  try {
    return decodeURIComponent(value).slice(0, MAX_CHARACTERS);
  } catch {
    return value.slice(0, MAX_CHARACTERS); // as it was sent
  }
}

export function entryOf(
  c: Context,
  { identity, pattern, requestId }: { identity: Identity; pattern: string; requestId: string | undefined },
): NewAuditEntry {
  const { method, path } = c.req;
  const { incoming } = (c.env ?? {}) as { incoming?: { socket?: { remoteAddress?: string } } };
  const forwardedFor = c.req.header('x-forwarded-for')?.slice(0, MAX_CHARACTERS);
  return {
    who: identity.name,
    role: identity.role,
    address: incoming?.socket?.remoteAddress?.replace(/^::ffff:/, '') ?? null,
    act: actOf(method, pattern),
    target: targetOf(path, pattern),
    detail: { method, path: path.slice(0, MAX_CHARACTERS), requestId, forwardedFor },
  };
}

export function endOf(c: Context): ActEnd {
  const { status } = c.res;
  const outcome = status < 400 ? 'done' : status < 500 ? 'refused' : 'failed';
  const changes: unknown = (c.req.valid as (target: string) => unknown)('json') ?? c.var.form;
  if (changes === undefined) return { outcome, detail: { status } };
  const text = JSON.stringify(changes, (key, value: unknown) => (key === 'args' ? '[not kept]' : value));
  return {
    outcome,
    detail: { status, changes: text.length > MAX_CHANGES ? '[too long]' : JSON.parse(text) },
  };
}
