/**
 * Stands before every call, before anything of its request is read: who may use the method, how many requests are received at once, and what is told of
 * the call when it has ended. What guard.ts and request-events.ts are for HTTP.
 *
 * Guarantees: no more than RECEIVED_AT_ONCE requests are being received of those who are known, and as many of those who are not, whoever sends slowly;
 * the others wait in the windows of HTTP/2, which are small, and the library refuses what is longer than a batch. A browser cannot send gRPC by itself, so that foreign pages and names of hosts do not matter here.
 */
import { randomUUID } from 'node:crypto';
import type { Metadata, ServerInterceptingCallInterface, ServerInterceptor } from '@grpc/grpc-js';
import { ResponderBuilder, ServerInterceptingCall, ServerListenerBuilder, status } from '@grpc/grpc-js';
import type { LimitFunction } from 'p-limit';
import pLimit from 'p-limit';
import type { ActEnd, Audit } from '#queue/audit.ts';
import { resolvedWithin, sleep } from '#shared/base/backoff.ts';
import type { Trace } from '#shared/job/trace.ts';
import { parseRequestId, parseTraceparent, parseTracestate } from '#shared/job/trace.ts';
import type { Events } from '#shared/observe/events.ts';
import type { AccessTokens } from '../access/access-tokens.ts';
import type { Identity, Role } from '../access/roles.ts';
import { allows } from '../access/roles.ts';
import { JOBS_SERVICE } from './contract.ts';
import type { CallStatus } from './status.ts';
import { statusOf, toStatus } from './status.ts';

export interface MethodAccess {
  /** `none`: everybody. */
  role: Role | 'none';
  isAudited?: true;
  /** A call may outlive tokens. */
  lasts?: true;
}

const jobsAccess: Readonly<Record<string, MethodAccess>> = {
  Enqueue: { role: 'operator' },
  EnqueueMany: { role: 'operator' },
  Get: { role: 'viewer' },
  Cancel: { role: 'operator', isAudited: true },
  Watch: { role: 'viewer', lasts: true },
};

const RECEIVED_AT_ONCE = 8;
/** What a request may take to come, in milliseconds; those that everybody may send are some bytes long. */
const RECEIVE_DEADLINE_MS = 10_000;
const OPEN_RECEIVE_DEADLINE_MS = 1_000;
/** How often a call that lasts is looked at whose caller hears nothing meanwhile, in milliseconds. */
const LOOK_AT_TOKEN_MS = 5_000;

/** Undefined: nobody may use it. */
export function accessTo(path: string): MethodAccess | undefined {
  const [, service = '', method = ''] = path.split('/');
  if (service === JOBS_SERVICE) return jobsAccess[method];
  if (service === 'grpc.health.v1.Health') return { role: 'none' };
  return service.startsWith('grpc.reflection.') ? { role: 'viewer', lasts: true } : undefined;
}

export interface GuardOptions {
  events: Events;
  audit: Pick<Audit, 'begin'>;
  tokens: AccessTokens;
  /** Whom a request of an audited method is about. */
  targetOf: (message: unknown) => string | undefined;
  /** Told of every call that begins, and that has ended. */
  calls: { begin(path: string): void; end(path: string): void };
}

export function guardCalls(options: GuardOptions): ServerInterceptor {
  const receiving = { known: pLimit(RECEIVED_AT_ONCE), open: pLimit(RECEIVED_AT_ONCE) };
  return ({ path }, call) => {
    const guarded = new GuardedCall(path, call, { ...options, receiving });
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => guarded.begin(metadata, () => next(metadata)))
      .withOnReceiveMessage((message, next) => {
        guarded.received(message);
        next(message);
      })
      .withOnReceiveHalfClose((next) => {
        guarded.received();
        next();
      })
      .withOnCancel(() => guarded.end()) // after every end of a call, whatever it was
      .build();
    const responder = new ResponderBuilder()
      .withStart((next) => next(listener))
      .withSendMessage((message, next) => {
        if (!guarded.endIfRevoked()) next(message);
      })
      .withSendStatus((sent, next) => {
        guarded.answer(sent.code ?? status.UNKNOWN);
        next(sent);
      })
      .build();
    return new ServerInterceptingCall(call, responder);
  };
}

interface GuardedCallOptions extends GuardOptions {
  receiving: { known: LimitFunction; open: LimitFunction };
}

/** A call from its metadata to its end. */
class GuardedCall {
  readonly #path: string;
  readonly #access: MethodAccess | undefined;
  readonly #call: ServerInterceptingCallInterface;
  readonly #options: GuardedCallOptions;
  readonly #startedAt = performance.now();
  readonly #received = Promise.withResolvers<void>();
  #authorization: string | undefined;
  #identity: Identity | undefined;
  #trace: Trace = {};
  #code: status | undefined;
  readonly #ended = new AbortController();
  #target: string | undefined;
  #endAct: ((end: ActEnd) => Promise<void>) | undefined;

  constructor(path: string, call: ServerInterceptingCallInterface, options: GuardedCallOptions) {
    this.#path = path;
    this.#access = accessTo(path);
    this.#call = call;
    this.#options = options;
  }

  /** `receive`: has the request read, and the method called. */
  begin(metadata: Metadata, receive: () => void): void {
    this.#options.calls.begin(this.#path);
    this.#trace = readTrace(metadata);
    this.#authorization = textOf(metadata, 'authorization');
    const { identity, refusal } = this.#authorize();
    this.#identity = identity;
    if (refusal === undefined) {
      if (this.#access?.lasts) void this.#lookAtToken(); // rejects never
      void this.#receive(receive); // rejects never
      return;
    }
    this.#refuseAccess(refusal, identity);
  }

  /** Ends a call that lasts where it would not be let in now. Returns whether it has its end. */
  endIfRevoked(): boolean {
    if (!this.#access?.lasts) return false;
    if (this.#code !== undefined) return true;
    const { identity, refusal } = this.#authorize();
    if (refusal !== undefined) this.#refuseAccess(refusal, identity ?? this.#identity);
    return refusal !== undefined;
  }

  /** The request is here, or comes no more. */
  received(message?: unknown): void {
    if (message !== undefined && this.#access?.isAudited) this.#target = this.#options.targetOf(message);
    this.#received.resolve();
  }

  answer(code: status): void {
    this.#code ??= code;
    if (!this.#access?.isAudited || this.#identity === undefined) return;
    const { name: token, role } = this.#identity;
    this.#options.events.publish('access.acted', { ...this.#described(), token, role, status: code });
  }

  end(): void {
    this.#ended.abort();
    this.#received.resolve();
    const { calls, events } = this.#options;
    calls.end(this.#path);
    const isLate = Date.now() >= Number(this.#call.getDeadline());
    void this.#endAct?.({
      outcome: outcomeOf(this.#code),
      target: this.#target,
      detail: { status: this.#code },
    }); // never rejects
    const code = status[this.#code ?? (isLate ? status.DEADLINE_EXCEEDED : status.CANCELLED)];
    const durationMs = performance.now() - this.#startedAt;
    events.publish('rpc.finished', { method: this.#path.slice(1), code, durationMs });
  }

  async #receive(receive: () => void): Promise<void> {
    const { receiving } = this.#options;
    const [limit, deadlineMs] =
      this.#access?.role === 'none'
        ? [receiving.open, OPEN_RECEIVE_DEADLINE_MS]
        : [receiving.known, RECEIVE_DEADLINE_MS];
    await limit(async () => {
      if (!(await this.#beginAct())) return;
      receive();
      if (await resolvedWithin(this.#received.promise, deadlineMs)) return;
      this.#refuse({ code: status.DEADLINE_EXCEEDED, details: 'the request did not come in time' });
    });
  }

  /** Whether the call may go on: an act that cannot be noted is not done. */
  async #beginAct(): Promise<boolean> {
    if (!this.#access?.isAudited || this.#identity === undefined) return true;
    const { name: who, role } = this.#identity;
    const { path, requestId } = this.#described();
    const act = `jobs.${path.split('/').at(-1)?.toLowerCase() ?? ''}`;
    const address = this.#call.getPeer().replace(/:\d+$/, '');
    const detail = { method: 'GRPC', path, requestId };
    try {
      this.#endAct = await this.#options.audit.begin({ who, role, address, act, target: null, detail });
      return true;
    } catch (error) {
      this.#refuse(toStatus(error, { events: this.#options.events, path: this.#path, trace: this.#trace }));
      return false;
    }
  }

  /** Although nothing is sent meanwhile. */
  async #lookAtToken(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted && !this.endIfRevoked()) await sleep(LOOK_AT_TOKEN_MS, signal);
  }

  /** Who calls, and what stands in their way, as the tokens are now. */
  #authorize(): { identity: Identity | undefined; refusal: CallStatus | undefined } {
    const { tokens } = this.#options;
    const authorization = this.#authorization;
    const identity = tokens.isOpen ? tokens.anybody : tokens.findBearer(authorization ?? '');
    return { identity, refusal: findRefusal(this.#access, { identity, authorization }) };
  }

  #refuseAccess(refusal: CallStatus, identity: Identity | undefined): void {
    this.#options.events.publish('access.refused', {
      ...this.#described(),
      token: identity?.name,
      reason: refusal.details,
    });
    this.#refuse(refusal);
  }

  #refuse(refusal: CallStatus): void {
    this.#code = refusal.code;
    this.#call.sendStatus(refusal);
  }

  #described(): Trace & { method: string; path: string } {
    const requestId = this.#trace.requestId ?? randomUUID();
    return { ...this.#trace, requestId, method: 'GRPC', path: this.#path };
  }
}

/** What the call's metadata say of its place in the caller's other work. */
export function readTrace(metadata: Metadata): Trace {
  const tracestate = parseTracestate(textOf(metadata, 'tracestate'));
  return {
    ...(tracestate === undefined ? {} : { tracestate }),
    traceparent: parseTraceparent(textOf(metadata, 'traceparent')),
    requestId: parseRequestId(textOf(metadata, 'x-request-id')),
  };
}

export function textOf(metadata: Metadata, key: string): string | undefined {
  const [value] = metadata.get(key);
  return value === undefined ? undefined : String(value);
}

function findRefusal(
  access: MethodAccess | undefined,
  { identity, authorization }: { identity: Identity | undefined; authorization: string | undefined },
): CallStatus | undefined {
  if (access === undefined)
    return statusOf(status.PERMISSION_DENIED, 'nobody may use this method: it does not declare a role', {
      reason: 'forbidden',
    });
  const { role } = access;
  if (role === 'none') return undefined;
  if (identity === undefined) {
    const detail =
      authorization === undefined
        ? 'send a token as metadata "authorization: Bearer <token>"'
        : 'the token is wrong';
    return statusOf(status.UNAUTHENTICATED, detail, { reason: 'unauthorized' });
  }
  if (allows(identity.role, role)) return undefined;
  const detail = `this needs the role ${role}; the token ${identity.name} has ${identity.role}`;
  return statusOf(status.PERMISSION_DENIED, detail, { reason: 'role_missing' });
}

function outcomeOf(code: status | undefined): ActEnd['outcome'] {
  if (code === status.OK) return 'done';
  const refusals = [status.NOT_FOUND, status.FAILED_PRECONDITION, status.INVALID_ARGUMENT, status.ABORTED];
  return code !== undefined && refusals.includes(code) ? 'refused' : 'failed';
}
