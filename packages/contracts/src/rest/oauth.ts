import { z } from 'zod';
import { defineRoute } from './route.ts';

/** The OAuth 2.0 token response (RFC 6749 section 5.1). */
export const tokenResponse = z.object({
  access_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: z.int(),
  scope: z.string().optional().describe('absent if the token has no scope'),
  refresh_token: z.string().optional().describe('present with the scope offline_access'),
  id_token: z.string().optional().describe('present with the scope openid'),
});

/** The OAuth 2.0 error response (RFC 6749 section 5.2), which is not a problem document. */
export const tokenError = z.object({ error: z.string(), error_description: z.string().optional() });

const formField = z.string().optional();

const clientAuthentication = {
  client_id: formField.describe('for public clients'),
  client_assertion_type: formField.describe('urn:ietf:params:oauth:client-assertion-type:jwt-bearer'),
  client_assertion: formField.describe('private_key_jwt; its audience is the issuer'),
};

/** The metadata of RFC 8414 and OpenID Connect Discovery; the actual document has more members than these. */
const discovery = z.looseObject({
  issuer: z.url(),
  authorization_endpoint: z.url(),
  token_endpoint: z.url(),
  jwks_uri: z.url(),
  userinfo_endpoint: z.url(),
  introspection_endpoint: z.url(),
  revocation_endpoint: z.url(),
  end_session_endpoint: z.url(),
});

const jwks = z.object({ keys: z.array(z.looseObject({ kty: z.string(), kid: z.string() })) });

/** The operations of the OpenID provider that a contract can describe. */
export const oauthRoutes = {
  jwks: defineRoute({
    method: 'get',
    path: '/oidc/jwks',
    operationId: 'getJwks',
    summary: 'List the public keys that verify access tokens',
    tag: 'OAuth',
    access: { kind: 'anyone' },
    responses: { 200: jwks },
  }),
  discovery: defineRoute({
    method: 'get',
    path: '/oidc/.well-known/openid-configuration',
    operationId: 'getOpenIdConfiguration',
    summary: 'Read the metadata of the OpenID provider',
    description:
      'Also available at /.well-known/oauth-authorization-server/oidc (RFC 8414). Users log in at the authorization_endpoint, by authorization code with PKCE.',
    tag: 'OAuth',
    access: { kind: 'anyone' },
    responses: { 200: discovery },
  }),
  token: defineRoute({
    method: 'post',
    path: '/oidc/token',
    operationId: 'issueToken',
    summary: 'OAuth 2.0 token endpoint: authorization_code, refresh_token, client_credentials',
    description:
      'Clients authenticate by private_key_jwt or HTTP Basic; public clients send their client_id. `resource` names the service that the token is for (RFC 8707), or all of them with urn:taskwire:api. Errors follow RFC 6749 section 5.2.',
    tag: 'OAuth',
    access: { kind: 'anyone' },
    bodyType: 'application/x-www-form-urlencoded',
    body: z.object({
      grant_type: z.string().describe('authorization_code, refresh_token or client_credentials'),
      scope: formField,
      resource: formField,
      code: formField,
      redirect_uri: formField,
      code_verifier: formField.describe('RFC 7636'),
      refresh_token: formField,
      ...clientAuthentication,
    }),
    responses: { 200: tokenResponse, 400: tokenError, 401: tokenError },
  }),
  introspect: defineRoute({
    method: 'post',
    path: '/oidc/introspect',
    operationId: 'introspectToken',
    summary: 'Check whether an opaque token of the client is active (RFC 7662)',
    tag: 'OAuth',
    access: { kind: 'anyone' },
    bodyType: 'application/x-www-form-urlencoded',
    body: z.object({ token: z.string(), token_type_hint: formField, ...clientAuthentication }),
    responses: { 200: z.looseObject({ active: z.boolean() }), 400: tokenError, 401: tokenError },
  }),
  revoke: defineRoute({
    method: 'post',
    path: '/oidc/revoke',
    operationId: 'revokeToken',
    summary: 'Revoke a token of the client, and all tokens of the same consent (RFC 7009)',
    tag: 'OAuth',
    access: { kind: 'anyone' },
    bodyType: 'application/x-www-form-urlencoded',
    body: z.object({ token: z.string(), token_type_hint: formField, ...clientAuthentication }),
    responses: { 200: null, 400: tokenError, 401: tokenError },
  }),
  userinfo: defineRoute({
    method: 'get',
    path: '/oidc/userinfo',
    operationId: 'getUserinfo',
    summary: 'Read the claims of the user of an opaque access token',
    description: 'Requires a token with the scope openid and no resource. The scopes profile and email add their claims.',
    tag: 'OAuth',
    access: { kind: 'anyone' },
    opaqueTokenScope: 'openid',
    responses: { 200: z.looseObject({ sub: z.uuid() }), 401: tokenError },
  }),
};
