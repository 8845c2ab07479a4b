import type { Authorization, Connection } from '../authorization.ts';
import { exchange } from './exchange.ts';
import { TokenKeeper } from './token-keeper.ts';
import { memoryStore, tokensOf } from './tokens.ts';

/** Options of a service that acts on its own behalf. */
export type M2mOptions = {
  clientId: string;
  /** The secret, or a function that makes a signed assertion for each request (private_key_jwt). */
  credential: string | (() => string | Promise<string>);
  /** The service that the tokens are for, such as `urn:taskwire:tasks`. A token for one service is useless at any other. */
  resource: string;
  scope: string;
  /** The origin of the OpenID provider, if it isn't the client's base URL. */
  issuerOrigin?: string;
};

/** Obtains machine-to-machine tokens (`client_credentials`). */
export function m2m({ clientId, credential, resource, scope, issuerOrigin }: M2mOptions): Authorization {
  let connection: Connection | undefined;
  const keeper = new TokenKeeper({
    store: memoryStore(),
    async renew() {
      if (connection === undefined) throw new Error('Pass this to a client first: new Taskwire({ baseUrl, auth })');
      const body = new URLSearchParams({ grant_type: 'client_credentials', resource, scope });
      const headers: Record<string, string> = {};
      if (typeof credential === 'string') {
        headers['authorization'] = `Basic ${btoa(`${encodeURIComponent(clientId)}:${encodeURIComponent(credential)}`)}`;
      } else {
        body.set('client_id', clientId);
        body.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer');
        body.set('client_assertion', await credential());
      }
      const at = { ...connection, baseUrl: issuerOrigin ?? connection.baseUrl };
      // an assertion may be used only once
      const isRepeatable = typeof credential === 'string';
      return tokensOf(await exchange(at, { name: 'issueToken', path: '/oidc/token', headers, body, isRepeatable }));
    },
  });
  return {
    connect(given) {
      connection = given;
    },
    accessToken: (rejected) => keeper.accessToken(rejected),
  };
}
