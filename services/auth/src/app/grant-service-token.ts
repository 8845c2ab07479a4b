import type { ServiceClients, TokenIssuer } from './ports.ts';

/** Errors of RFC 6749 section 5.2 and RFC 8707 section 2. */
export type GrantError = {
  error: 'invalid_request' | 'invalid_client' | 'unsupported_grant_type' | 'invalid_scope' | 'invalid_target';
  error_description: string;
};

export type ServiceToken = { access_token: string; token_type: 'Bearer'; expires_in: number; scope: string };

type GrantRequest = {
  clientId: string;
  clientSecret: string;
  grantType: string;
  scope: string | undefined;
  resource: string | undefined;
};

/** The client credentials grant (RFC 6749 section 4.4): a service gets a token for one audience, with scopes that it was granted. */
export function grantServiceToken({ clients, tokens }: { clients: ServiceClients; tokens: TokenIssuer }) {
  return async (request: GrantRequest): Promise<ServiceToken | GrantError> => {
    const client = clients.authenticate(request.clientId, request.clientSecret);
    if (client === undefined) return refusal('invalid_client', 'client authentication failed');
    if (request.grantType !== 'client_credentials') {
      return refusal('unsupported_grant_type', 'the grant type must be client_credentials');
    }
    const [only, ...others] = client.grants;
    const grant =
      request.resource === undefined && others.length === 0
        ? only
        : client.grants.find(({ audience }) => audience === request.resource);
    if (grant === undefined) return refusal('invalid_target', 'resource must name an audience granted to the client');
    const wanted = request.scope?.split(' ').filter(Boolean) ?? grant.scopes;
    if (!wanted.every((scope) => grant.scopes.includes(scope))) {
      return refusal('invalid_scope', 'a scope is not granted to the client for this resource');
    }
    const scope = [...new Set(wanted)].join(' ');
    const { accessToken, expiresIn } = await tokens.issue({
      subject: client.clientId,
      clientId: client.clientId,
      audience: grant.audience,
      scope,
      issuedAt: Math.floor(Date.now() / 1000),
    });
    return { access_token: accessToken, token_type: 'Bearer', expires_in: expiresIn, scope };
  };
}

function refusal(error: GrantError['error'], description: string): GrantError {
  return { error, error_description: description };
}
