import { AsyncLocalStorage } from 'node:async_hooks';
import { firstPartyClient } from '@taskwire/contracts';
import { requestIds, type RawRoute } from '@taskwire/http-server';
import { Provider } from 'oidc-provider/lib/provider.js';
import { noOrigin, type RequestOrigin } from '../domain/audit-context.ts';
import { originOf } from '../app/origin.ts';

type Request = Parameters<RawRoute['handle']>[0];

/** Returns the origin of a request for a page. Express's settings determine which proxies are trusted. Pages that belong to no client are our own. */
export function requestOrigin(request: Request, clientId: string | null = firstPartyClient): RequestOrigin {
  const { ip, headers } = request;
  return { ...originOf({ ip, headers, ...requestIds(request) }), clientId };
}

/** The origin of the current request for a page that is not an endpoint of the provider, but stores data through it. */
const pageInProgress = new AsyncLocalStorage<RequestOrigin>();

/** Runs `work`, and attributes all data that it stores through the provider to this origin. */
export async function storingFor<T>(origin: RequestOrigin, work: () => Promise<T>): Promise<T> {
  return await pageInProgress.run(origin, work);
}

/** Facts about the request being handled that the adapter needs. */
export const requestInProgress = {
  origin(): RequestOrigin {
    // the provider was given Express's request
    const request = Provider.ctx?.req as Request | undefined;
    if (request === undefined) return pageInProgress.getStore() ?? noOrigin;
    return requestOrigin(request, Provider.ctx?.oidc.client?.clientId);
  },
  ending(): 'log_out' | 'code_reuse' | 'refresh_token_reuse' | 'other' {
    const { route, params } = Provider.ctx?.oidc ?? {};
    if (route === 'end_session_confirm') return params?.['logout'] === undefined ? 'other' : 'log_out';
    // the token endpoint revokes grants for no other reasons
    if (route === 'token') return params?.['grant_type'] === 'refresh_token' ? 'refresh_token_reuse' : 'code_reuse';
    return 'other';
  },
};
