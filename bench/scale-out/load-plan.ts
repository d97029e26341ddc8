// What one request of the load asks for: the article's endpoint, or a batch of jobs of one type. Pure.

export const loadTypes = ['process-order', 'build-report', 'deliver-webhook'] as const;

export type LoadType = (typeof loadTypes)[number];

export interface LoadPlan {
  type: LoadType;
  /** Jobs per request. One `process-order` per request is the article's `GET /api/test/:id`. */
  batch: number;
  /** Orders 1 to this are asked for. */
  orders: number;
  /** Days of each report. */
  days: number;
  /** Where webhooks go, as GET: any page will do that answers with 2xx. */
  webhookUrl: string | undefined;
}

export interface LoadRequest {
  method: 'GET' | 'POST';
  path: string;
  body: string | undefined;
  /** How many jobs it enqueues. */
  jobs: number;
}

/** The request with this number, from 0. Orders take turns, so that every run asks for the same ones. */
export function toRequest(plan: LoadPlan, number: number): LoadRequest {
  if (plan.type === 'process-order' && plan.batch === 1)
    return { method: 'GET', path: `/api/test/${(number % plan.orders) + 1}`, body: undefined, jobs: 1 };
  const jobs = Array.from({ length: plan.batch }, (_, place) => ({
    type: plan.type,
    args: toArguments(plan, number * plan.batch + place),
  }));
  return { method: 'POST', path: '/v1/jobs/batch', body: JSON.stringify({ jobs }), jobs: plan.batch };
}

function toArguments({ type, orders, days, webhookUrl }: LoadPlan, number: number): Record<string, unknown> {
  if (type === 'process-order') return { orderId: String((number % orders) + 1) };
  if (type === 'build-report') return { days };
  return { url: webhookUrl, method: 'GET', headers: { 'x-number': String(number) } };
}
