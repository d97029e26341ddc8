/**
 * The headers that a job's trace is read from, for the OpenAPI document: what is malformed of them is no reason to refuse a request (request-trace.ts).
 */
import { z } from '@hono/zod-openapi';

export const traceHeaders = z.object({
  'x-request-id': z.string().optional().openapi({
    description:
      'the id of the request, 1 to 128 printable ASCII characters, else one is made: the answer has it, and the log lines of the request and of its jobs',
  }),
  traceparent: z.string().optional().openapi({
    description:
      'W3C Trace Context: carried to the jobs, their log lines and their webhooks; ignored where it is malformed',
    example: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  }),
  tracestate: z.string().optional().openapi({
    description:
      'W3C Trace Context, at most 512 printable ASCII characters: carried beside `traceparent`; ignored where it is malformed, or without that',
    example: 'vendor=00f067aa0ba902b7',
  }),
  baggage: z.string().optional().openapi({
    description:
      'W3C Baggage, at most 64 entries and 8192 characters: carried to the jobs where the application asks for it (docs/tracing.md), else ignored; ignored where it is malformed',
    example: 'tenant=acme,plan=gold',
  }),
});
