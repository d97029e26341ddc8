/**
 * The OpenAPI document as one HTML page. Pure; everything that comes from the document is escaped.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import { html, raw } from 'hono/html';

type OpenApi = ReturnType<OpenAPIHono['getOpenAPI31Document']>;

export interface JobTypeDescription {
  type: string;
  queue: string;
  maxAttempts: number;
  timeoutMs: number;
  /** JSON schema. Left out where the schema of the job type cannot be told as one. */
  args?: unknown;
}

export type ApiDocument = OpenApi & { 'x-job-types': readonly JobTypeDescription[] };

interface Operation {
  tags?: string[];
  'x-role'?: string;
  summary?: string;
  description?: string;
  parameters?: { name: string; in: string; required?: boolean; schema?: unknown; description?: string }[];
  requestBody?: { content?: Record<string, { schema?: unknown }> };
  responses?: Record<string, { description?: string; content?: Record<string, { schema?: unknown }> }>;
}

interface Endpoint {
  method: string;
  path: string;
  operation: Operation;
}

type Html = ReturnType<typeof html>;

export const pageStyle = `
:root { color-scheme: light dark; --line: light-dark(#d8dee4, #39424e); --soft: light-dark(#f4f6f8, #1b222b); --accent: light-dark(#8a4b16, #e8a565); }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 2rem 1rem 6rem; }
h1 { margin-bottom: 0; }
h2 { margin: 3rem 0 1rem; text-transform: capitalize; color: var(--accent); }
nav a { margin-right: 1rem; text-transform: capitalize; }
a { color: var(--accent); }
article { border: 1px solid var(--line); border-radius: .5rem; margin: .75rem 0; padding: .75rem 1rem; overflow-x: auto; }
article > header { display: flex; gap: .75rem; align-items: baseline; flex-wrap: wrap; }
article > p { margin: .5rem 0; }
.method { font-weight: 700; text-transform: uppercase; color: var(--accent); min-width: 3.5rem; }
.role { margin-left: auto; font-size: .875rem; border: 1px solid var(--line); border-radius: 1rem; padding: 0 .625rem; }
.role:empty { display: none; }
code, pre { font: .875rem/1.45 ui-monospace, monospace; }
pre { background: var(--soft); border-radius: .375rem; padding: .75rem; overflow-x: auto; margin: .5rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .9375rem; }
td { border-top: 1px solid var(--line); padding: .25rem .5rem; vertical-align: top; }
td:first-child { width: 12rem; font-family: ui-monospace, monospace; font-size: .875rem; }
summary { cursor: pointer; }
`;

export async function renderDocsPage(document: ApiDocument): Promise<string> {
  const endpoints = listEndpoints(document);
  const groups = Map.groupBy(endpoints, ({ operation }) => operation.tags?.[0] ?? 'other');
  const schemas = Object.entries(document.components?.schemas ?? {});
  const page = await html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${document.info.title} API</title>
<style>${raw(pageStyle)}</style>
<h1>${document.info.title} API</h1>
<p>${document.info.description ?? ''} Machine-readable: <a href="openapi.json">/openapi.json</a>. For people: <a href="dashboard">the dashboard</a>.${isLocked(document) ? html` <a href="sign-in">Sign in or out</a>.` : ''}</p>
<nav>${[...groups.keys(), 'job-types', 'schemas'].map((name) => html`<a href="#${name}">${name.replace('-', ' ')}</a>`)}</nav>
${[...groups].map(([name, group]) => html`<h2 id="${name}">${name}</h2>${group.map(renderEndpoint)}`)}
<h2 id="job-types">job types</h2>
${document['x-job-types'].map(renderJobType)}
<h2 id="schemas">schemas</h2>
${schemas.map(([name, schema]) => html`<article id="schema-${name}"><header><strong>${name}</strong></header>${renderJson(schema)}</article>`)}
</html>
`;
  return String(page);
}

/** Tokens are asked for. */
function isLocked({ components }: OpenApi): boolean {
  return components?.securitySchemes !== undefined;
}

function listEndpoints({ paths = {} }: OpenApi): Endpoint[] {
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations as Record<string, Operation>).map(([method, operation]) => ({
      method,
      path,
      operation,
    })),
  );
}

function renderEndpoint({ method, path, operation }: Endpoint): Html {
  const body = Object.values(operation.requestBody?.content ?? {})[0]?.schema;
  return html`<article>
<header><span class="method">${method}</span><code>${path}</code><span>${operation.summary ?? ''}</span><span class="role">${operation['x-role'] ?? ''}</span></header>
${operation.description === undefined ? '' : html`<p>${operation.description}</p>`}
${renderRows('Parameters', (operation.parameters ?? []).map(describeParameter))}
${body === undefined ? '' : html`<details><summary>Body</summary>${renderJson(body)}</details>`}
${renderRows('Answers', Object.entries(operation.responses ?? {}).map(describeResponse))}
</article>`;
}

function renderJobType({ type, queue, maxAttempts, timeoutMs, args }: JobTypeDescription): Html {
  return html`<article>
<header><code>${type}</code><span>queue ${queue}, ${maxAttempts} attempts of at most ${timeoutMs / 1_000} s</span></header>
${args === undefined ? html`<p>Its schema cannot be shown.</p>` : html`<details><summary>Arguments</summary>${renderJson(args)}</details>`}
</article>`;
}

function renderRows(title: string, rows: readonly (readonly [string, string])[]): Html | string {
  if (rows.length === 0) return '';
  const cells = rows.map(([name, text]) => html`<tr><td>${name}</td><td>${text}</td></tr>`);
  return html`<details><summary>${title}</summary><table>${cells}</table></details>`;
}

function renderJson(value: unknown): Html {
  return html`<pre>${JSON.stringify(value, null, 2)}</pre>`;
}

function describeParameter(parameter: NonNullable<Operation['parameters']>[number]): [string, string] {
  const { description = '', schema } = parameter;
  const { description: schemaDescription = '', ...facts } = (schema ?? {}) as { description?: string };
  const text = [
    parameter.required ? 'required' : '',
    description || schemaDescription,
    JSON.stringify(facts),
  ];
  return [`${parameter.name} (${parameter.in})`, text.filter(Boolean).join(' · ')];
}

function describeResponse([status, { description = '', content = {} }]: [
  string,
  NonNullable<Operation['responses']>[string],
]): [string, string] {
  return [status, [description, ...Object.keys(content)].filter(Boolean).join(' · ')];
}
