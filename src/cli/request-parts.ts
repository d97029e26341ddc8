/**
 * Reads from the contract of a route what a request to it consists of, as arguments and options of a command. Pure.
 *
 * It reads the OpenAPI document, which is what the API itself promises of its routes.
 */
import type { RouteConfig } from '@hono/zod-openapi';
import { OpenAPIHono } from '@hono/zod-openapi';
import { traceHeaders } from '#api/contract/trace.ts';
import type { ApiCommand } from './api-commands.ts';

export type PartKind = 'text' | 'number' | 'flag' | 'json';

/** One thing that a request is given. */
export interface Part {
  place: 'path' | 'query' | 'header' | 'body';
  /** Where it goes: a name, or the way to a member of the body. */
  path: readonly string[];
  /** As an option, without its dashes, or as an argument. */
  name: string;
  isArgument: boolean;
  isRequired: boolean;
  kind: PartKind;
  /** May be given several times. */
  isRepeatable: boolean;
  isNullable: boolean;
  choices: readonly string[];
  /** What stands for its value in the help. */
  valueName: string;
  description: string;
}

export interface CommandRequest {
  command: ApiCommand;
  method: string;
  path: string;
  summary: string;
  description: string;
  /** Undefined for routes of everybody. */
  role: string | undefined;
  hasBody: boolean;
  parts: readonly Part[];
}

interface Schema {
  $ref?: string;
  type?: string | string[];
  enum?: readonly unknown[];
  format?: string;
  anyOf?: Schema[];
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  description?: string;
  default?: unknown;
}

interface Operation {
  'x-role'?: string;
  summary?: string;
  description?: string;
  parameters?: { name: string; in: string; required?: boolean; schema: Schema; description?: string }[];
  requestBody?: { content: { 'application/json'?: { schema: Schema } } };
}

/** Headers that say where a request belongs, not what it asks for. */
const TRACE_HEADERS = new Set([...Object.keys(traceHeaders.shape), 'Last-Event-ID']);

export function describeRequests(commands: readonly ApiCommand[]): CommandRequest[] {
  const app = new OpenAPIHono();
  for (const { route } of commands) app.openAPIRegistry.registerPath(route as RouteConfig);
  const document = app.getOpenAPI31Document({ openapi: '3.1.0', info: { title: 'Warren', version: '1' } });
  const schemas = (document.components?.schemas ?? {}) as Record<string, Schema>;
  const resolve = (schema: Schema): Schema => {
    const target = schema.$ref === undefined ? undefined : schemas[schema.$ref.split('/').at(-1) ?? ''];
    return target === undefined
      ? schema
      : { ...target, ...(schema.description && { description: schema.description }) };
  };
  return commands.map((command) => {
    const { method, path } = command.route;
    const operation = (document.paths?.[path] as Record<string, Operation> | undefined)?.[
      method
    ] as Operation;
    const body = operation.requestBody?.content['application/json']?.schema;
    const parameters = parametersOf(operation, resolve);
    const inPath = new Set(parameters.flatMap(({ place, name }) => (place === 'path' ? [name] : [])));
    return {
      command,
      method: method.toUpperCase(),
      path,
      summary: operation.summary ?? '',
      description: operation.description ?? '',
      role: operation['x-role'] === 'none' ? undefined : operation['x-role'],
      hasBody: body !== undefined,
      parts: [
        ...parameters,
        ...(body === undefined
          ? []
          : membersOf(resolve(body), { command, resolve, path: [], prefix: '', except: inPath })),
      ],
    };
  });
}

type Resolve = (schema: Schema) => Schema;

function parametersOf({ parameters = [] }: Operation, resolve: Resolve): Part[] {
  return parameters
    .filter(({ name }) => !TRACE_HEADERS.has(name))
    .map(({ name, in: place, required, schema, description }) => ({
      place: place as Part['place'],
      path: [name],
      name: place === 'path' ? name : toOptionName(name),
      isArgument: place === 'path',
      isRequired: place === 'path' || required === true,
      ...shapeOf(resolve(schema), resolve),
      description: withDefault(description ?? schema.description ?? '', schema),
    }));
}

interface Place {
  command: ApiCommand;
  resolve: Resolve;
  path: readonly string[];
  prefix: string;
  /** Members that are told otherwise. */
  except?: ReadonlySet<string>;
}

function membersOf(schema: Schema, { command, resolve, path, prefix, except }: Place): Part[] {
  const { positional = [], spread = {} } = command;
  const members = Object.entries(schema.properties ?? {}).filter(([name]) => !except?.has(name));
  const isTop = path.length === 0;
  const order = ([name]: [string, Schema]) => positional.indexOf(name) + 1 || Number.POSITIVE_INFINITY;
  if (isTop)
    members.sort((one, other) => (order(one) < order(other) ? -1 : order(one) > order(other) ? 1 : 0));
  return members.flatMap(([name, given]) => {
    const member = resolve(given);
    const inner = isTop ? spread[name] : undefined;
    if (inner !== undefined) return membersOf(member, { command, resolve, path: [name], prefix: inner });
    const isArgument = isTop && positional.includes(name);
    return [
      {
        place: 'body' as const,
        path: [...path, name],
        name: isArgument ? name : toOptionName(prefix + name),
        isArgument,
        isRequired: isArgument && schema.required?.includes(name) === true,
        ...shapeOf(member, resolve),
        description: withDefault(member.description ?? '', member),
      },
    ];
  });
}

type Shape = Pick<Part, 'kind' | 'isRepeatable' | 'isNullable' | 'choices' | 'valueName'>;

function shapeOf(schema: Schema, resolve: Resolve): Shape {
  const types = new Set([schema.type ?? []].flat());
  const isNullable = types.delete('null');
  const alternatives = (schema.anyOf ?? []).map(resolve).filter(({ type }) => type !== 'null');
  const list = schema.type === 'array' ? schema : alternatives.find(({ type }) => type === 'array');
  const item = list?.items === undefined ? alternatives[0] : resolve(list.items);
  if (list !== undefined && item !== undefined && ['string', 'integer'].includes(`${item.type}`))
    return { ...shapeOf(item, resolve), isRepeatable: true, isNullable: false };
  if (alternatives.length === 1 && item !== undefined)
    return { ...shapeOf(item, resolve), isNullable: (schema.anyOf?.length ?? 0) > 1 };
  const [type] = types;
  const kinds: Record<string, PartKind> = {
    string: 'text',
    integer: 'number',
    number: 'number',
    boolean: 'flag',
  };
  const kind = kinds[type ?? ''] ?? 'json';
  const choices = (schema.enum ?? []).filter((value) => value !== null).map(String);
  const valueName = schema.format === 'date-time' ? 'time' : choices.length > 0 ? 'name' : kind;
  return { kind, isRepeatable: false, isNullable, choices, valueName };
}

/** `createdAfter`, `Idempotency-Key` and `set-runAt` become `created-after`, `idempotency-key` and `set-run-at`. */
function toOptionName(name: string): string {
  return name.replaceAll(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase();
}

function withDefault(description: string, { default: preset }: Schema): string {
  if (preset === undefined) return description;
  return description === '' ? `defaults to ${preset}` : `${description}; defaults to ${preset}`;
}
