/**
 * Which role each route needs, as the routes declare it themselves (`x-role` in their contract).
 *
 * Guarantees: a route without a declared role is nobody's. `assertDeclared` tells at start, so that it is found before it is missed.
 */
import type { OpenAPIHono, RouteConfig } from '@hono/zod-openapi';
import { createRoute } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { matchedRoutes } from 'hono/route';
import type { RouterRoute } from 'hono/types';
import { findTargetHandler, isMiddleware as mayCallNext } from 'hono/utils/handler';
import type { Role } from './roles.ts';

export interface AccessDeclaration {
  /** The least that may use the route; `none`: everybody. */
  'x-role': Role | 'none';
  /** Who used it is logged. */
  'x-audited'?: true;
}

/** `createRoute`, for routes that declare who may use them. */
export function defineRoute<
  Path extends string,
  Route extends Omit<RouteConfig, 'path'> & { path: Path } & AccessDeclaration,
>(route: Route): ReturnType<typeof createRoute<Path, Route>> {
  return createRoute<Path, Route>(route);
}

export interface RouteAccess {
  role: Role | 'none';
  isAudited: boolean;
  /** People open it: it answers with HTML. */
  isPage: boolean;
}

export interface FoundRoute extends RouteAccess {
  /** The path of the route, with its parameters. */
  pattern: string;
}

/** No route takes the request: whoever is let in at all is told so. */
const UNROUTED: RouteAccess = { role: 'metrics', isAudited: false, isPage: false };

/** Any: addresses are compared without it. */
const OWN_ORIGIN = 'http://own';

export class RouteAccessTable {
  readonly #app: OpenAPIHono;
  readonly #defaults = new Map<RouterRoute, RouteAccess>();
  #declared: ReadonlyMap<RouterRoute, RouteAccess> | undefined;
  #readable: RegExp[] | undefined;

  constructor(app: OpenAPIHono) {
    this.#app = app;
  }

  /** Undefined where the route declares nothing. */
  find(c: Context): FoundRoute | undefined {
    const matched = matchedRoutes(c);
    const route = matched.find((each) => !isMiddleware(each)) ?? matched.at(-1); // the first answers, where several fit
    if (route === undefined) return { ...UNROUTED, pattern: '' };
    this.#declared ??= this.#read();
    const access = this.#declared.get(route) ?? (isMiddleware(route) ? UNROUTED : undefined);
    return access && { ...access, pattern: route.path };
  }

  /** For routes that may be registered without a document. What theirs declares wins. */
  setDefault(routes: readonly RouterRoute[], access: RouteAccess): void {
    for (const route of routes) this.#defaults.set(route, access);
  }

  /** Throws where a route was registered that declares no role. */
  assertDeclared(): void {
    this.#declared = this.#read();
    for (const route of this.#app.routes)
      if (!isMiddleware(route) && !this.#declared.has(route))
        throw new Error(`${route.method} ${route.path} does not declare who may use it (x-role)`);
  }

  /** Whether it can be opened and does nothing but show: a path of ours, perhaps with a query. Whoever may not see it is told so there. */
  isReadable(address: string): boolean {
    const parsed = URL.parse(address, OWN_ORIGIN);
    if (parsed === null || parsed.pathname + parsed.search !== address) return false; // of another server, or of several spellings
    this.#readable ??= this.#app.routes.flatMap((route) => {
      const { role, isPage } = this.#declared?.get(route) ?? UNROUTED;
      const isOpened =
        route.method === 'GET' && (isPage ? role !== 'none' : role === 'viewer' && !route.path.includes(':'));
      return isOpened
        ? [new RegExp(`^${route.path.replaceAll('.', '\\.').replaceAll(/:[^/]+/g, '[^/]+')}$`)]
        : [];
    });
    return this.#readable.some((pattern) => pattern.test(parsed.pathname));
  }

  #read(): Map<RouterRoute, RouteAccess> {
    const byName = new Map<string, RouteAccess>();
    for (const definition of this.#app.openAPIRegistry.definitions) {
      if (definition.type !== 'route') continue;
      const { method, path, responses, ...declared } = definition.route as RouteConfig &
        Partial<AccessDeclaration>;
      if (declared['x-role'] === undefined) continue;
      byName.set(`${method.toUpperCase()} ${path.replaceAll(/{(\w+)}/g, ':$1')}`, {
        role: declared['x-role'],
        isAudited: declared['x-audited'] === true,
        isPage: Object.values(responses).some(
          (response) => 'text/html' in ('content' in response ? (response.content ?? {}) : {}),
        ),
      });
    }
    const found = new Map<RouterRoute, RouteAccess>();
    for (const route of this.#app.routes) {
      const access = byName.get(`${route.method} ${route.path}`) ?? this.#defaults.get(route);
      if (access !== undefined) found.set(route, access);
    }
    return found;
  }
}

/**
 * `app.use(…)`: what follows it answers. Neither `app.all('/a/path', …)` nor `app.all('/files/*', (c) => …)`, whose handler calls nothing that follows: they
 * answer, so that they say who may use them.
 */
function isMiddleware({ method, path, handler }: RouterRoute): boolean {
  return method === 'ALL' && path.endsWith('*') && mayCallNext(findTargetHandler(handler));
}
