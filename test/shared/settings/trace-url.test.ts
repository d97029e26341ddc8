import { expect, test } from 'vitest';
import { toTraceUrl, traceUrlTemplate } from '../../../src/shared/settings/trace-url.ts';

test.each([
  'https://tempo.example/trace/{traceId}',
  'http://127.0.0.1:16686/trace/{traceId}?uiFind={traceId}',
  'https://grafana.example/explore?left={"queries":[{"query":"{traceId}"}]}',
])('%s is where a trace is looked at', (template) => {
  expect(traceUrlTemplate.parse(template)).toBe(template);
  const url = toTraceUrl(template, '0af7651916cd43dd8448eb211c80319c');
  expect(url).toContain('0af7651916cd43dd8448eb211c80319c');
  expect(url).not.toContain('{traceId}');
});

test.each([
  'javascript:alert({traceId})',
  'data:text/html,{traceId}',
  'ftp://tempo.example/{traceId}',
  '//tempo.example/{traceId}',
  '/trace/{traceId}',
  'https://tempo.example/trace',
  'https://tempo.example/trace/{id}',
  'https://user:secret@tempo.example/{traceId}',
  'https://tempo.example/ {traceId}',
  ' https://tempo.example/{traceId}',
  'https://tempo.example/\n{traceId}',
  'https://[/{traceId}',
])('%j is refused', (template) => {
  expect(traceUrlTemplate.safeParse(template).success).toBe(false);
});
