import type { IncomingMessage, ServerResponse } from 'node:http';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { pageHeaders } from './pages/html.ts';
import { onwardPage } from './pages/continue-page.ts';

/** The routes on which the provider responds to an action on one of our pages: log-in, consent and log-out. */
const afterForms = ['resume', 'end_session_confirm'];

/**
 * Sends a browser back to an application through one of our own pages, not through a redirect. Chromium applies the page's `form-action` to every
 * redirect that follows a form, including the application's redirects after its redirect URI, which this service can't know, and would block them.
 * The page ends the chain of redirects and opens the URL with a new GET, so `form-action` stays narrow.
 */
export function continueByPage(ctx: KoaContextWithOIDC): void {
  if (ctx.status !== 303 || !afterForms.includes(ctx.oidc.route)) return;
  const to = ctx.response.get('Location');
  if (!needsPage(ctx.req, to) || URL.parse(to)?.origin === new URL(ctx.oidc.issuer).origin) return;
  ctx.status = 200;
  ctx.remove('Location');
  ctx.set(pageHeaders());
  ctx.body = onwardPage(to);
}

/** Does the same for the response to a form that the provider doesn't handle. */
export function redirectOn(request: IncomingMessage, response: ServerResponse, to: string): void {
  if (needsPage(request, to)) response.writeHead(200, pageHeaders()).end(onwardPage(to));
  else response.writeHead(303, { Location: to, 'Content-Length': '0' }).end();
}

/**
 * Whether a response needs the page instead of a redirect. Browsers declare that they open a document (Fetch Metadata); other programs follow
 * redirects and wouldn't open the page. A custom URI scheme needs no page, because it ends the chain and is listed in `form-action`: mobile browsers
 * open apps only directly after a button press, and a page in between would prevent that.
 */
function needsPage(request: IncomingMessage, to: string): boolean {
  return request.headers['sec-fetch-dest'] === 'document' && /^https?:/i.test(to);
}
