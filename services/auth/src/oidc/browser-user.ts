import type { Provider } from 'oidc-provider';
import type { Request, Response } from './own-page.ts';
import type { Providers } from './provider.ts';

type Context = Parameters<Provider['Session']['get']>[0];

/** A method of Koa's application that the provider inherits, but that its types omit. */
type Application = { createContext(request: Request, response: Response): Context };

/** Returns the user logged in to the provider in a browser; undefined if no user is logged in or the log-in has ended. */
export function browserUser(providers: Providers) {
  return async (request: Request, response: Response): Promise<string | undefined> => {
    const provider = (await providers()) as Provider & Application;
    const session = await provider.Session.get(provider.createContext(request, response));
    return session.accountId;
  };
}
