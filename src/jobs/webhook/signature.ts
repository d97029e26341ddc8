/**
 * The headers of Standard Webhooks, by which the receiver knows a delivery again and checks who sent it. Pure.
 * Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
import { createHmac } from 'node:crypto';

const SECRET_PREFIX = /^whsec_/;

export interface SignedDelivery {
  /** The same in all attempts, so that the receiver can drop what it has already. */
  id: string;
  /** Unix seconds of this attempt. */
  timestamp: number;
  /** The bytes that are sent; empty where there is no body. */
  body: Uint8Array;
  /** Base64, with or without `whsec_` before each, newest first: every one signs. Empty: the delivery is not signed. */
  secrets: readonly string[];
}

export function webhookHeaders(delivery: SignedDelivery): Record<string, string> {
  const { id, timestamp, secrets } = delivery;
  const headers = { 'webhook-id': id, 'webhook-timestamp': String(timestamp) };
  if (secrets.length === 0) return headers;
  return { ...headers, 'webhook-signature': secrets.map((secret) => sign(secret, delivery)).join(' ') };
}

function sign(secret: string, { id, timestamp, body }: SignedDelivery): string {
  const key = Buffer.from(secret.replace(SECRET_PREFIX, ''), 'base64');
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64')}`;
}
