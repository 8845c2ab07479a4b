import type { RawRoute } from '@taskwire/http-server';
import type { Provider } from 'oidc-provider';
import { redirectOn } from './redirects.ts';
import { pageHeaders } from './pages/html.ts';
import { stillLoggedInPage } from './pages/logout-pages.ts';

type RequestedAccess = {
  request: Parameters<RawRoute['handle']>[0];
  response: Parameters<RawRoute['handle']>[1];
  form: URLSearchParams;
};

/**
 * Handles the log-out form when the user chose to stay logged in: the browser returns to the application, and nothing changes. The provider itself
 * would revoke the user's consent for the application. The form therefore needs no token; the URL in it is used only if it is registered for the
 * client.
 */
export async function stayLoggedIn(provider: Provider, { request, response, form }: RequestedAccess): Promise<void> {
  const address = form.get('post_logout_redirect_uri');
  const client = await provider.Client.find(form.get('client_id') ?? '');
  if (address === null || client?.postLogoutRedirectUriAllowed(address) !== true) {
    response.writeHead(200, pageHeaders()).end(stillLoggedInPage());
    return;
  }
  const to = new URL(address);
  const state = form.get('state');
  if (state !== null) to.searchParams.set('state', state);
  redirectOn(request, response, to.href);
}
