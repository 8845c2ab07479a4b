import type { ErrorOut, KoaContextWithOIDC } from 'oidc-provider';
import { html, page, pageHeaders } from './html.ts';

/** Shows an error that can't be reported to the client, in which case the browser is not redirected. */
export function errorPage(ctx: KoaContextWithOIDC, out: ErrorOut): void {
  ctx.set(pageHeaders());
  ctx.body = errorDocument(out.error, out.error_description);
}

export function errorDocument(error: string, description: string | undefined): string {
  return page(
    'Something went wrong',
    html`<h1>Something went wrong</h1>
      <p role="alert">${description ?? 'The request could not be processed.'}</p>
      <p class="quiet">
        Go back to the application that you came from, and try again. If it happens again, tell its operators: ${error}
      </p>`,
  );
}
