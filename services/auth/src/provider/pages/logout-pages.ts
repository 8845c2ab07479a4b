import type { KoaContextWithOIDC } from 'oidc-provider';
import { html, page, pageHeaders } from './html.ts';

/** Asks before it logs out, since anybody can send a browser here (RP-Initiated Logout 1.0 section 6). `form` is the provider's. */
export function logoutPage(ctx: KoaContextWithOIDC, form: string): void {
  ctx.set(pageHeaders(ctx.oidc.params?.['post_logout_redirect_uri'] as string | undefined));
  ctx.body = page(
    'Log out',
    html`<h1>Log out?</h1>
      <p>You will be logged out of Taskwire in this browser${clientName(ctx)}.</p>
      ${{ html: form }}
      <div class="actions">
        <button type="submit" form="op.logoutForm" name="logout" value="yes">Log out</button>
        <button type="submit" form="op.logoutForm" class="second">Stay logged in</button>
      </div>`,
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
