/**
 * Addresses of our own pages as they stand in links, forms and redirects: from one page to another, relative, so that they hold below whatever path an
 * application has mounted the API. Pure.
 */

/** What leads from the page at `from` to the root of the API: empty, or `../` for each folder. */
export function rootFrom(from: string): string {
  return '../'.repeat(Math.max(0, from.split('/').length - 2));
}

/** `to`: a path from the root of the API on, `/docs` say. */
export function relativePath(from: string, to: string): string {
  const path = rootFrom(from) + to.slice(1);
  return path === '' ? './' : path;
}
