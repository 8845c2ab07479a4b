import type { OwnPath } from '@taskwire/http-server';
import { Provider } from 'oidc-provider/lib/provider.js';
import { noOrigin, type Origin } from '../app/audit.ts';
import { originOf } from '../app/origin.ts';

type Request = Parameters<OwnPath['handle']>[0];

/** Where a request for a page comes from; Express knows which proxies to believe. */
export function requestOrigin(request: Request): Origin {
  const requestId = request.res?.getHeader('x-request-id');
  return originOf({
    ip: request.ip,
    headers: request.headers,
    requestId: typeof requestId === 'string' ? requestId : null,
  });
}

/** What the adapter wants to know of the request that the provider works on. */
export const requestInProgress = {
  origin(): Origin {
    // the provider was given Express's request
    const request = Provider.ctx?.req as Request | undefined;
    return request === undefined ? noOrigin : requestOrigin(request);
  },
  ending(): 'log_out' | 'code_reuse' | 'refresh_token_reuse' | 'other' {
    const { route, params } = Provider.ctx?.oidc ?? {};
    if (route === 'end_session_confirm') return params?.['logout'] === undefined ? 'other' : 'log_out';
    // the token endpoint ends a grant for no other reason
    if (route === 'token') return params?.['grant_type'] === 'refresh_token' ? 'refresh_token_reuse' : 'code_reuse';
    return 'other';
  },
};
