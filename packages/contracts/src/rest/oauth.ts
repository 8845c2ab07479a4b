import { z } from 'zod';
import { defineRoute } from './route.ts';

/** The OAuth 2.0 token response (RFC 6749 section 5.1). */
export const tokenResponse = z.object({
  access_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: z.int(),
  scope: z.string().optional().describe('absent when there is none'),
  refresh_token: z.string().optional().describe('with the scope offline_access'),
  id_token: z.string().optional().describe('with the scope openid'),
});

/** The OAuth 2.0 error response (RFC 6749 section 5.2), which is not a problem document. */
const tokenError = z.object({ error: z.string(), error_description: z.string().optional() });

const formField = z.string().optional();

const clientAuthentication = {
  client_id: formField.describe('of a public client'),
  client_assertion_type: formField.describe('urn:ietf:params:oauth:client-assertion-type:jwt-bearer'),
  client_assertion: formField.describe('private_key_jwt; its audience is the issuer'),
};

/** The metadata of RFC 8414 and OpenID Connect Discovery; it has more members than these. */
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

/** The operations below the issuer that a contract can describe. */
export const oauthRoutes = {
  jwks: defineRoute({
    method: 'get',
    path: '/oidc/jwks',
    operationId: 'getJwks',
    summary: 'The public keys that access tokens are signed with',
    tag: 'OAuth',
    access: { kind: 'anyone' },
    responses: { 200: jwks },
  }),
  discovery: defineRoute({
    method: 'get',
    path: '/oidc/.well-known/openid-configuration',
    operationId: 'getOpenIdConfiguration',
    summary: 'What the OpenID provider can do, and where',
    description:
      'Also at /.well-known/oauth-authorization-server/oidc (RFC 8414). Log-in of people: authorization code with PKCE, at the authorization_endpoint.',
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
      'Client authentication by private_key_jwt or HTTP Basic; public clients give their client_id. `resource` names the one audience (RFC 8707). Errors follow RFC 6749 section 5.2.',
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
    summary: 'Whether an opaque token of the client is good (RFC 7662)',
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
    summary: 'End a token of the client, and all that came from the same consent (RFC 7009)',
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
    summary: 'Claims of the user of an opaque access token',
    description: 'With a token of the scope openid that is for no resource. Scopes profile and email add their claims.',
    tag: 'OAuth',
    access: { kind: 'anyone' },
    responses: { 200: z.looseObject({ sub: z.uuid() }), 401: tokenError },
  }),
};
