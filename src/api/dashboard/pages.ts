/**
 * How a page of the dashboard is served, and how an act is taken: who may, with which headers, and what is shown where it goes wrong.
 *
 * Guarantees: each route declares its role; a form is taken from a page of ours only (the guard has looked at its origin, so that no token stands in the form);
 * what goes wrong has the status and the words of the API, as a page.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { html } from 'hono/html';
import { HTTPException } from 'hono/http-exception';
import type { Events } from '#shared/observe/events.ts';
import type { AccessTokens } from '../access/access-tokens.ts';
import type { RouteAccess, RouteAccessTable } from '../access/route-access.ts';
import { answerErrors } from '../problem.ts';
import { relativePath } from '../relative-path.ts';
import { assets } from './assets.ts';
import type { Page, Query, Viewer } from './frame.ts';
import { renderPage, toSearch, viewerOf } from './frame.ts';

/** A page of two hundred chosen jobs, or the arguments of one. */
const MAX_FORM_BYTES = 2_097_152;
const YEAR_SECONDS = 31_536_000;
const READ: RouteAccess = { role: 'viewer', isAudited: false, isPage: true };
const ASSET: RouteAccess = { role: 'viewer', isAudited: false, isPage: false };
const ADMINS_READ: RouteAccess = { ...READ, role: 'admin' };
const ACT: RouteAccess = { role: 'operator', isAudited: true, isPage: false };
const ASK: RouteAccess = { ...ACT, isAudited: false };

const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy':
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'same-origin', // with no-referrer a browser sends "Origin: null" with our own forms
  'cache-control': 'no-store',
};

/** Where an act leads to. */
export interface Destination {
  /** `/dashboard/queues`. */
  to: string;
  query?: Query;
}

export interface Form {
  viewer: Viewer;
  fields: URLSearchParams;
  /** Of the path. */
  param(name: string): string;
  trace: Context['var']['trace'];
}

type MakePage = (viewer: Viewer, param: (name: string) => string) => Page | Promise<Page>;

export interface PagesOptions {
  app: OpenAPIHono;
  routes: RouteAccessTable;
  events: Events;
  tokens: Pick<AccessTokens, 'isOpen' | 'anybody'>;
}

export class Pages {
  readonly #options: PagesOptions;

  constructor(options: PagesOptions) {
    this.#options = options;
  }

  /** A page that everybody may see who may read. */
  get(path: string, make: MakePage): void {
    this.#get(READ, path, make);
  }

  /** A page that only admins may see. */
  getForAdmins(path: string, make: MakePage): void {
    this.#get(ADMINS_READ, path, make);
  }

  /** A form that changes something: it stands in the audit, and leads to a page. */
  post(path: string, act: (form: Form) => Promise<Destination | Page>): void {
    this.#post(ACT, path, act);
  }

  /** A form that changes nothing: it shows what would be done, and asks whether one is sure. */
  ask(path: string, review: (form: Form) => Promise<Page>): void {
    this.#post(ASK, path, review);
  }

  #get(access: RouteAccess, path: string, make: MakePage): void {
    this.#register(access, (app) =>
      app.get(path, (c) =>
        this.#answer(c, async () => {
          const viewer = this.#viewer(c);
          return c.body(await renderPage(viewer, await make(viewer, paramOf(c))), 200, HEADERS);
        }),
      ),
    );
  }

  #post(access: RouteAccess, path: string, act: (form: Form) => Promise<Destination | Page>): void {
    const tooLarge = () => {
      throw new HTTPException(413, { message: `the form is larger than ${MAX_FORM_BYTES} bytes` });
    };
    this.#register(access, (app) => {
      app.post(path, bodyLimit({ maxSize: MAX_FORM_BYTES, onError: tooLarge }));
      app.post(path, (c) =>
        this.#answer(c, async () => {
          const viewer = this.#viewer(c);
          const fields = new URLSearchParams(await c.req.text());
          if (fields.size > 0) c.set('form', toMembers(fields));
          const done = await act({ viewer, fields, param: paramOf(c), trace: c.get('trace') });
          if ('body' in done) return c.body(await renderPage(viewer, done), 200, HEADERS);
          return c.redirect(relativePath(c.req.path, done.to) + toSearch(done.query ?? {}), 303);
        }),
      );
    });
  }

  /** The stylesheet and the script. Their addresses change with them, so that a browser asks once. */
  assets(): void {
    for (const [name, { type, text }] of Object.entries(assets))
      this.#register(ASSET, (app) =>
        app.get(`/dashboard/${name}`, (c) =>
          c.body(text, 200, {
            'content-type': type,
            'x-content-type-options': 'nosniff',
            'cache-control': `private, max-age=${YEAR_SECONDS}, immutable`,
          }),
        ),
      );
  }

  #register(access: RouteAccess, add: (app: OpenAPIHono) => void): void {
    const { app, routes } = this.#options;
    const before = app.routes.length;
    add(app);
    routes.setDefault(app.routes.slice(before), access);
  }

  #viewer(c: Context): Viewer {
    const { tokens } = this.#options;
    const isLocked = !tokens.isOpen;
    const search = new URL(c.req.url).search;
    return viewerOf({ identity: c.var.identity ?? tokens.anybody, isLocked, path: c.req.path, search });
  }

  async #answer(c: Context, work: () => Promise<Response>): Promise<Response> {
    try {
      return await work();
    } catch (error) {
      const answer = answerErrors(this.#options.events)(error, c);
      const problem = (await answer.json()) as Problem;
      const { location: _, ...headers } = Object.fromEntries(answer.headers);
      const page = await renderPage(this.#viewer(c), problemPage(problem));
      return c.body(page, answer.status as 500, { ...headers, ...HEADERS });
    }
  }
}

interface Problem {
  title?: string;
  detail?: string;
  errors?: { pointer?: string; detail: string }[];
}

function problemPage({ title = 'It did not work', detail = '', errors = [] }: Problem): Page {
  return {
    title,
    body: html`<div class="card"><p>${detail}</p>${errors.length === 0 ? '' : html`<ul>${errors.map(({ pointer, detail: what }) => html`<li><code>${pointer ?? ''}</code> ${what}</li>`)}</ul>`}<p class="quiet">Go back with your browser, or choose a section above.</p></div>`,
  };
}

/** A field that stands several times is a list. */
function toMembers(fields: URLSearchParams): Record<string, string | string[]> {
  return Object.fromEntries(
    [...new Set(fields.keys())].map((name) => {
      const [first = '', ...others] = fields.getAll(name);
      return [name, others.length === 0 ? first : [first, ...others]];
    }),
  );
}

function paramOf(c: Context): (name: string) => string {
  return (name) => c.req.param(name) ?? '';
}
