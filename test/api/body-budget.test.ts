import { expect, test } from 'vitest';
import { BodyBudget, bodyGauges } from '../../src/api/body-budget.ts';
import { createOfflineApp, toAnswer } from '../support/api.ts';

const job = JSON.stringify({ type: 'process-order', args: { orderId: '17' } });
const json = { 'content-type': 'application/json' };

test('no more is held than the budget has, and what is given back can be held again', () => {
  const budget = new BodyBudget(100);
  const first = budget.hold(60);
  expect(() => budget.hold(41)).toThrow('60 bytes of request bodies are held already');
  first.add(40);
  expect(() => first.add(1)).toThrow(expect.objectContaining({ code: 'bodies_full' }));
  expect(bodyGauges(budget)[0]?.read()).toEqual([{ value: 100 }]);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  expect(budget.heldBytes).toBe(0);
});

test.each(['/v1/jobs', '/v1/jobs/batch'])(
  '%s answers 503 where the budget has no room for the body',
  async (path) => {
    const bodies = new BodyBudget(1_000);
    const app = createOfflineApp({ bodies });
    const headers = { ...json, 'content-length': '1001' };
    const answer = await toAnswer(await app.request(path, { method: 'POST', headers, body: job }));
    expect(answer).toMatchObject({ status: 503, body: { code: 'bodies_full' } });
    expect(answer.headers.get('retry-after')).toBe('1');
    expect(bodies.heldBytes).toBe(0);
  },
);

test.each([
  ['a job', '/v1/jobs', job],
  ['a batch', '/v1/jobs/batch', `{"jobs":[${job}]}`],
  ['no JSON', '/v1/jobs', '{'],
  ['a batch that is no JSON', '/v1/jobs/batch', '{"jobs":[{]}'],
  ['a batch of other things', '/v1/jobs/batch', '{"jobs":[0]}'],
])('%s holds nothing once it is answered', async (_what, path, body) => {
  const bodies = new BodyBudget(25_165_824);
  await createOfflineApp({ bodies }).request(path, { method: 'POST', headers: json, body });
  expect(bodies.heldBytes).toBe(0);
});

test('values count beside their text', async () => {
  const bodies = new BodyBudget(10_000);
  const body = `{"type":"process-order","args":[${Array(500).fill(0)}]}`;
  const headers = { ...json, 'content-length': String(body.length) };
  const response = await createOfflineApp({ bodies }).request('/v1/jobs', { method: 'POST', headers, body });
  expect(response.status).toBe(503);
});
