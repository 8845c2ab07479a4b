import type { Provider } from 'oidc-provider';
import type { Request, Response } from './own-page.ts';
import type { Providers } from './provider.ts';

type Context = Parameters<Provider['Session']['get']>[0];

/** What the provider has of Koa, which its types leave out. */
type Application = { createContext(request: Request, response: Response): Context };

/** The user whom a browser is logged in as at the provider; undefined where nobody is, or the log-in has ended. */
export function browserUser(providers: Providers) {
  return async (request: Request, response: Response): Promise<string | undefined> => {
    const provider = (await providers()) as Provider & Application;
    const session = await provider.Session.get(provider.createContext(request, response));
    return session.accountId;
  };
}
