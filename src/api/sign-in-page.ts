/**
 * The page on which people sign in and out. Pure; loads nothing, runs nothing, and everything that comes from outside is escaped. Its addresses are relative, so
 * that it works below any path.
 */
import { html, raw } from 'hono/html';
import type { Identity } from './access/roles.ts';

export const signInStyle = `
:root { color-scheme: light dark; --line: light-dark(#b8c0c8, #4a5460); --accent: light-dark(#8a4b16, #e8a565); --bad: light-dark(#a40e26, #ff8f8f); }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 26rem; margin: 15vh auto 0; padding: 0 1rem; }
label { display: block; font-weight: 600; }
input { font: inherit; width: 100%; padding: .5rem; margin: .25rem 0 1rem; border: 1px solid var(--line); border-radius: .375rem; }
button { font: inherit; padding: .5rem 1.25rem; border: 0; border-radius: .375rem; background: var(--accent); color: light-dark(#fff, #14181d); cursor: pointer; }
a { color: var(--accent); }
[role=alert] { color: var(--bad); }
`;

export interface SignInPage {
  /** Who is signed in. */
  identity: Identity | undefined;
  /** The page to open afterwards. */
  to: string;
  problem?: string;
}

export async function renderSignInPage({ identity, to, problem }: SignInPage): Promise<string> {
  const page = await html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Warren: sign in</title>
<style>${raw(signInStyle)}</style>
<h1>Warren</h1>
${problem === undefined ? '' : html`<p role="alert">${problem}</p>`}
${identity === undefined ? renderForm(to) : renderSignedIn(identity, to)}
</html>
`;
  return String(page);
}

/** Who comes by a link from another site is asked although they are signed in: the browser holds the cookie back. */
function renderForm(to: string): ReturnType<typeof html> {
  return html`<form method="post" action="sign-in">
<input type="hidden" name="to" value="${to}">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button>Sign in</button>
</form>
<p>Signed in already? <a href="${to.slice(1)}">Go on to ${to}</a></p>`;
}

function renderSignedIn({ name, role }: Identity, to: string): ReturnType<typeof html> {
  return html`<p>You are signed in with the token <strong>${name}</strong> (${role}). <a href="${to.slice(1)}">Go on to ${to}</a></p>
<form method="post" action="sign-out"><button>Sign out</button></form>`;
}
