import type { IncomingMessage, ServerResponse } from 'node:http';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { pageHeaders } from './pages/html.ts';
import { onwardPage } from './pages/onward-page.ts';

/** Where the provider answers what somebody did on a page of ours: log-in, consent and log-out. */
const afterForms = ['resume', 'end_session_confirm'];

/**
 * Sends a browser back to an application by a page of ours, not by a redirect. Chromium holds every redirect that follows a form to the `form-action` of its
 * page, also those of the application beyond its redirect URI, which nobody here knows: the browser would stay where it is. The page ends the
 * chain of redirects, and opens the address by a GET of its own; `form-action` stays as narrow as it was.
 */
export function leadOnByPage(ctx: KoaContextWithOIDC): void {
  if (ctx.status !== 303 || !afterForms.includes(ctx.oidc.route)) return;
  const to = ctx.response.get('Location');
  if (!needsPage(ctx.req, to) || URL.parse(to)?.origin === new URL(ctx.oidc.issuer).origin) return;
  ctx.status = 200;
  ctx.remove('Location');
  ctx.set(pageHeaders());
  ctx.body = onwardPage(to);
}

/** The same for an answer to a form that is not the provider's. */
export function sendOn(request: IncomingMessage, response: ServerResponse, to: string): void {
  if (needsPage(request, to)) response.writeHead(200, pageHeaders()).end(onwardPage(to));
  else response.writeHead(303, { Location: to, 'Content-Length': '0' }).end();
}

/**
 * Browsers say that they open a document (Fetch Metadata); other programs follow a redirect, and would not open the page. An app's own scheme ends the chain,
 * and stands in `form-action`: mobile browsers open apps right after a button was pressed, and a page in between would undo that.
 */
function needsPage(request: IncomingMessage, to: string): boolean {
  return request.headers['sec-fetch-dest'] === 'document' && /^https?:/i.test(to);
}
