import { AsyncLocalStorage } from 'node:async_hooks';
import { firstPartyClient } from '@taskwire/contracts';
import { requestIds, type OwnPath } from '@taskwire/http-server';
import { Provider } from 'oidc-provider/lib/provider.js';
import { noOrigin, type Origin } from '../app/audit.ts';
import { originOf } from '../app/origin.ts';

type Request = Parameters<OwnPath['handle']>[0];

/** Where a request for a page comes from; Express knows which proxies to believe. Pages that belong to no client are our own. */
export function requestOrigin(request: Request, clientId: string | null = firstPartyClient): Origin {
  const { ip, headers } = request;
  return { ...originOf({ ip, headers, ...requestIds(request) }), clientId };
}

/** Of pages that store something by the provider, without being one of its endpoints. */
const pageInProgress = new AsyncLocalStorage<Origin>();

/** Runs `work` so that what it stores by the provider is known to come from there. */
export async function storingFor<T>(origin: Origin, work: () => Promise<T>): Promise<T> {
  return await pageInProgress.run(origin, work);
}

/** What the adapter wants to know of the request that the provider works on. */
export const requestInProgress = {
  origin(): Origin {
    // the provider was given Express's request
    const request = Provider.ctx?.req as Request | undefined;
    if (request === undefined) return pageInProgress.getStore() ?? noOrigin;
    return requestOrigin(request, Provider.ctx?.oidc.client?.clientId);
  },
  ending(): 'log_out' | 'code_reuse' | 'refresh_token_reuse' | 'other' {
    const { route, params } = Provider.ctx?.oidc ?? {};
    if (route === 'end_session_confirm') return params?.['logout'] === undefined ? 'other' : 'log_out';
    // the token endpoint ends a grant for no other reason
    if (route === 'token') return params?.['grant_type'] === 'refresh_token' ? 'refresh_token_reuse' : 'code_reuse';
    return 'other';
  },
};
