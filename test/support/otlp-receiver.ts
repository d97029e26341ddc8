// A receiver of OpenTelemetry's traces, as a collector is one: it takes OTLP over HTTP as JSON, and answers with the spans that have come.
// Guarantees: it is closed when it is disposed of; a wait for a span ends at the deadline, with the names of those that are there.
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { eventually } from './eventually.ts';

interface OtlpValue {
  stringValue?: string;
  intValue?: string | number;
}

type OtlpAttributes = readonly { key: string; value: OtlpValue }[];

interface OtlpSpan {
  name: string;
  kind: number;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  traceState?: string;
  attributes?: OtlpAttributes;
  links?: readonly { traceId: string; spanId: string }[];
  events?: readonly { name: string; attributes: OtlpAttributes }[];
  status: { code?: number; message?: string };
}

interface OtlpRequest {
  resourceSpans: readonly {
    resource: { attributes: OtlpAttributes };
    scopeSpans: readonly { spans: readonly OtlpSpan[] }[];
  }[];
}

/** The numbers are those of the protocol (trace.proto). */
export const kinds = { internal: 1, producer: 4, consumer: 5 };
export const ERROR = 2;

export interface ReceivedSpan extends Omit<OtlpSpan, 'attributes' | 'events'> {
  service: unknown;
  attributes: Readonly<Record<string, unknown>>;
  events: readonly { name: string; attributes: Readonly<Record<string, unknown>> }[];
}

export interface OtlpReceiver extends AsyncDisposable {
  url: string;
  spans: readonly ReceivedSpan[];
  /** The first `count` that `fits`, in the order in which they came. */
  find(fits: (span: ReceivedSpan) => boolean, count?: number): Promise<ReceivedSpan[]>;
}

export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const server = createServer((request, response) => {
    void receive(request).then((received) => {
      spans.push(...received);
      response.setHeader('content-type', 'application/json').end('{}');
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    find: async (fits, count = 1) => {
      const found = await eventually(
        async () => spans.filter(fits),
        (all) => all.length >= count,
      );
      return found.slice(0, count);
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function receive(request: IncomingMessage): Promise<ReceivedSpan[]> {
  const { resourceSpans } = (await json(request)) as OtlpRequest;
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map(({ attributes = [], events = [], ...span }) => ({
        ...span,
        service: toRecord(resource.attributes)['service.name'],
        attributes: toRecord(attributes),
        events: events.map((event) => ({ name: event.name, attributes: toRecord(event.attributes) })),
      })),
    ),
  );
}

function toRecord(attributes: OtlpAttributes): Record<string, unknown> {
  return Object.fromEntries(
    attributes.map(({ key, value: { stringValue, intValue } }) => [
      key,
      intValue === undefined ? stringValue : Number(intValue),
    ]),
  );
}
