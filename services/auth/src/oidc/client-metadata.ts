import type { RegisteredClient } from '../app/ports/clients.ts';
import { isNative } from './native-clients.ts';

/** A client's metadata as the provider reads it (OpenID Connect Dynamic Client Registration 1.0 section 2), with the scopes it was granted. */
export function clientMetadata(client: RegisteredClient): object {
  const isInteractive = client.grant_types.includes('authorization_code');
  return {
    client_id: client.client_id,
    client_name: client.client_name ?? client.client_id,
    token_endpoint_auth_method: authenticationOf(client),
    // the hash takes the place of the secret: see `compareClientSecret`
    ...(client.secret_hash === undefined ? {} : { client_secret: client.secret_hash }),
    ...(client.jwks === undefined ? {} : { jwks: client.jwks }),
    grant_types: client.grant_types,
    response_types: isInteractive ? ['code'] : [],
    redirect_uris: client.redirect_uris,
    post_logout_redirect_uris: client.post_logout_redirect_uris,
    application_type: isNative(client) ? 'native' : 'web',
    grants: client.grants,
    introspects: client.introspects,
    queues: client.queues,
  };
}

function authenticationOf(client: RegisteredClient): string {
  if (client.jwks !== undefined) return 'private_key_jwt';
  return client.secret_hash === undefined ? 'none' : 'client_secret_basic';
}
