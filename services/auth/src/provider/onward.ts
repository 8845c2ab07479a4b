import type { IncomingMessage, ServerResponse } from 'node:http';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { pageHeaders } from './pages/html.ts';
import { onwardPage } from './pages/onward-page.ts';

/**
 * Sends a browser on after it sent one of our forms. Chromium holds every redirect that follows a form to the `form-action` of its page, also those of
 * the application beyond its redirect URI, which nobody here knows. So the chain of redirects ends at a page of ours, which opens the address by
 * itself; `form-action` stays as narrow as it was.
 */
export function sendOn(
  request: IncomingMessage,
  response: ServerResponse,
  step: { to: string; towards?: unknown },
): void {
  if (needsPage(request, step.towards ?? step.to)) {
    response.writeHead(200, pageHeaders()).end(onwardPage(step.to));
  } else {
    response.writeHead(303, { Location: step.to, 'Content-Length': '0' }).end();
  }
}

/** The same for the provider's own answer to the log-out form. */
export function sendOnAfterLogout(ctx: KoaContextWithOIDC): void {
  if (ctx.oidc?.route !== 'end_session_confirm' || ctx.status !== 303) return;
  const to = ctx.response.get('Location');
  if (!needsPage(ctx.req, to)) return;
  ctx.status = 200;
  ctx.remove('Location');
  ctx.set(pageHeaders());
  ctx.body = onwardPage(to);
}

/**
 * Browsers name the kind of their request (Fetch Metadata); other programs follow a redirect, and would not open the page. An app's own scheme ends the
 * chain, and stands in `form-action`: mobile browsers open apps right after a button was pressed, and a page in between would undo that.
 */
function needsPage(request: IncomingMessage, towards: unknown): boolean {
  return request.headers['sec-fetch-dest'] === 'document' && /^https?:/i.test(String(towards));
}
