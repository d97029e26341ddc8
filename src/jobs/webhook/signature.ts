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
  /** Base64, with or without `whsec_` before it; undefined: the delivery is not signed. */
  secret: string | undefined;
}

export function webhookHeaders({ id, timestamp, body, secret }: SignedDelivery): Record<string, string> {
  const headers = { 'webhook-id': id, 'webhook-timestamp': String(timestamp) };
  if (secret === undefined) return headers;
  const key = Buffer.from(secret.replace(SECRET_PREFIX, ''), 'base64');
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64');
  return { ...headers, 'webhook-signature': `v1,${signature}` };
}
