/**
 * How people sign in with a token, for the pages that they open in a browser.
 */
import { z } from '@hono/zod-openapi';
import { defineRoute } from '../access/route-access.ts';

const page = { 'text/html': { schema: z.string() } };
const tags = ['sign-in'];
const toPage = { description: 'to the page, with or without a cookie' };

export const signInPageRoute = defineRoute({
  'x-role': 'none',
  method: 'get',
  path: '/sign-in',
  tags,
  summary: 'The form to sign in, or who is signed in',
  request: {
    query: z.object({
      to: z.string().max(2_000).optional().openapi({ description: 'the page to open afterwards' }),
    }),
  },
  responses: { 200: { description: 'HTML', content: page }, 302: toPage },
});

export const signInRoute = defineRoute({
  'x-role': 'none',
  method: 'post',
  path: '/sign-in',
  tags,
  summary: 'Sign in: a token for a session cookie',
  description: 'For pages of this server only. The session ends after twelve hours, or with its token.',
  request: {
    body: {
      required: true,
      content: {
        'application/x-www-form-urlencoded': {
          schema: z.object({ token: z.string(), to: z.string() }).partial(),
        },
      },
    },
  },
  responses: {
    303: toPage,
    401: { description: 'the token is wrong', content: page },
    403: { description: 'the token opens no pages', content: page },
  },
});

export const signOutRoute = defineRoute({
  'x-role': 'none',
  method: 'post',
  path: '/sign-out',
  tags,
  summary: 'Forget the session cookie',
  responses: { 303: toPage },
});
