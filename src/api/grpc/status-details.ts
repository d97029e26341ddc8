/**
 * What a status says beside its code and its sentence, for programs: `google.rpc.Status` in the trailer `grpc-status-details-bin`, with the details that
 * the field agrees on (ErrorInfo, BadRequest, RetryInfo). https://google.aip.dev/193
 *
 * Guarantees: never larger than a client takes, whatever is wrong with a request: many clients refuse trailers above 8 KiB.
 */
import type { MessageTypeDefinition } from '@grpc/proto-loader';
import { fromJSON } from '@grpc/proto-loader';
import type { InputIssue } from '#shared/base/errors.ts';

/** Beside the sentence and the other trailers; in base64 a third more. */
const MAX_DETAILS_BYTES = 4_096;
const MAX_TEXT_CHARACTERS = 300;
const TYPE_URL = 'type.googleapis.com/';

/** The part of google/rpc/status.proto and error_details.proto that is used here. */
const messages = fromJSON({
  nested: {
    google: {
      nested: {
        rpc: {
          nested: {
            Status: {
              fields: {
                code: { type: 'int32', id: 1 },
                message: { type: 'string', id: 2 },
                details: { rule: 'repeated', type: 'Detail', id: 3 },
              },
            },
            /** On the wire the same as google.protobuf.Any. */
            Detail: { fields: { typeUrl: { type: 'string', id: 1 }, value: { type: 'bytes', id: 2 } } },
            ErrorInfo: {
              fields: {
                reason: { type: 'string', id: 1 },
                domain: { type: 'string', id: 2 },
                metadata: { rule: 'repeated', type: 'Entry', id: 3 },
              },
              /** On the wire the same as map<string, string>. */
              nested: {
                Entry: { fields: { key: { type: 'string', id: 1 }, value: { type: 'string', id: 2 } } },
              },
            },
            BadRequest: {
              fields: { fieldViolations: { rule: 'repeated', type: 'FieldViolation', id: 1 } },
              nested: {
                FieldViolation: {
                  fields: { field: { type: 'string', id: 1 }, description: { type: 'string', id: 2 } },
                },
              },
            },
            RetryInfo: {
              fields: { retryDelay: { type: 'RetryDelay', id: 1 } },
              /** On the wire the same as google.protobuf.Duration. */
              nested: { RetryDelay: { fields: { seconds: { type: 'int64', id: 1 } } } },
            },
          },
        },
      },
    },
  },
});

export interface StatusDetails {
  /** Warren's own code, as over HTTP. */
  reason: string;
  /** What else a program can use. Defaults to nothing. */
  metadata?: Readonly<Record<string, string>> | undefined;
  /** What has to be mended. As many are told as there is room for. Defaults to nothing. */
  issues?: readonly InputIssue[] | undefined;
  /** When the same call may succeed. Defaults to never. */
  retryAfterSeconds?: number | undefined;
}

export function encodeStatus(code: number, message: string, details: StatusDetails): Buffer {
  const { reason, metadata = {}, issues = [], retryAfterSeconds } = details;
  const entries = Object.entries(metadata).map(([key, value]) => ({ key, value }));
  const encoded = [detail('ErrorInfo', { reason, domain: 'warren', metadata: entries })];
  if (retryAfterSeconds !== undefined)
    encoded.push(detail('RetryInfo', { retryDelay: { seconds: retryAfterSeconds } }));
  if (issues.length > 0) encoded.push(detail('BadRequest', { fieldViolations: withinBounds(issues) }));
  return encode('Status', { code, message, details: encoded });
}

function withinBounds(issues: readonly InputIssue[]): { field: string; description: string }[] {
  const violations: { field: string; description: string }[] = [];
  let leftBytes = MAX_DETAILS_BYTES;
  for (const { pointer, detail: text } of issues) {
    const violation = { field: cut(pointer), description: cut(text) };
    leftBytes -= Buffer.byteLength(violation.field) + Buffer.byteLength(violation.description);
    if (leftBytes < 0) break;
    violations.push(violation);
  }
  return violations;
}

/** At most so many characters, well-formed. */
export function cut(text: string, maxCharacters = MAX_TEXT_CHARACTERS): string {
  return text.length <= maxCharacters
    ? text.toWellFormed()
    : `${text.slice(0, maxCharacters - 1).toWellFormed()}…`;
}

function detail(name: string, message: object): { typeUrl: string; value: Buffer } {
  return { typeUrl: `${TYPE_URL}google.rpc.${name}`, value: encode(name, message) };
}

function encode(name: string, message: object): Buffer {
  return (messages[`google.rpc.${name}`] as MessageTypeDefinition<object, object>).serialize(message);
}
