import type { KoaContextWithOIDC } from 'oidc-provider';
import { html, page, pageHeaders, type Html } from './html.ts';

/** Asks before logging out, since any site can send a browser here (RP-Initiated Logout 1.0 section 6). `form` is the HTML of the provider's form. */
export function logoutPage(ctx: KoaContextWithOIDC, form: string): void {
  ctx.set(pageHeaders(ctx.oidc.params?.['post_logout_redirect_uri'] as string | undefined));
  ctx.body = page(
    'Log out',
    html`<h1>Log out?</h1>
      <p>You will be logged out of Taskwire in this browser${clientName(ctx)}.</p>
      ${{ html: form }} ${returnFields(ctx)}
      <div class="actions">
        <button type="submit" form="op.logoutForm" name="logout" value="yes">Log out</button>
        <button type="submit" form="op.logoutForm" class="second">Stay logged in</button>
      </div>`,
  );
}

/** The fields for "Stay logged in": the fields of the log-out request, which are added to the provider's form. */
function returnFields({ oidc: { client, params } }: KoaContextWithOIDC): Html[] {
  const fields = {
    client_id: client?.clientId,
    post_logout_redirect_uri: params?.['post_logout_redirect_uri'],
    state: params?.['state'],
  };
  return Object.entries(fields).flatMap(([name, value]) =>
    typeof value === 'string'
      ? [html`<input type="hidden" name="${name}" value="${value}" form="op.logoutForm" />`]
      : [],
  );
}

/** Shown after the user chose to stay logged in, if no application is waiting. */
export function stillLoggedInPage(): string {
  return page(
    'Still logged in',
    html`<h1>You are still logged in</h1>
      <p role="status">Nothing has changed. You can close this page.</p>`,
  );
}

export function loggedOutPage(ctx: KoaContextWithOIDC): void {
  ctx.set(pageHeaders());
  ctx.body = page(
    'Logged out',
    html`<h1>Logged out</h1>
      <p role="status">You can close this page.</p>`,
  );
}

function clientName({ oidc }: KoaContextWithOIDC): string {
  return oidc.client?.clientName === undefined ? '' : `, and of ${oidc.client.clientName}`;
}
