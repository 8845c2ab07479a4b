import { z } from 'zod';
import { instant } from '../events/events.ts';
import { defineRoute } from './route.ts';
import { email, givenPassword, idParams, internalUser, listOf, newPassword, page, personName, role, searchText, user } from './schemas.ts';

const session = z.object({
  access_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: z.int().describe('seconds that the access token lives'),
  refresh_token: z.string(),
  user,
});

/** The OAuth 2.0 token answer (RFC 6749 section 5.1). */
export const tokenResponse = z.object({
  access_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: z.int(),
  scope: z.string().optional().describe('absent when there is none'),
  refresh_token: z.string().optional().describe('with the scope offline_access'),
  id_token: z.string().optional().describe('with the scope openid'),
});

/** RFC 6749 section 5.2, which is not a problem document. */
const tokenError = z.object({ error: z.string(), error_description: z.string().optional() });

const formField = z.string().optional();

const clientAuthentication = {
  client_id: formField.describe('of a public client'),
  client_assertion_type: formField.describe('urn:ietf:params:oauth:client-assertion-type:jwt-bearer'),
  client_assertion: formField.describe('private_key_jwt; its audience is the issuer'),
};

/** RFC 8414 and OpenID Connect Discovery; more members than these. */
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

/** Auth's REST API. */
export const authRoutes = {
  register: defineRoute({
    method: 'post',
    path: '/api/v1/auth/register',
    operationId: 'register',
    summary: 'Create an account',
    description: 'The role is always member.',
    tag: 'Sessions',
    access: { kind: 'anyone' },
    body: z.strictObject({ email, password: newPassword, name: personName }),
    responses: { 201: user },
    problems: ['email_taken', 'rate_limited'],
  }),
  login: defineRoute({
    method: 'post',
    path: '/api/v1/auth/login',
    operationId: 'login',
    summary: 'Start a session',
    tag: 'Sessions',
    access: { kind: 'anyone' },
    body: z.strictObject({ email: z.string().trim().min(1).max(254), password: givenPassword }),
    responses: { 200: session },
    problems: ['invalid_credentials', 'email_not_verified', 'rate_limited'],
  }),
  refresh: defineRoute({
    method: 'post',
    path: '/api/v1/auth/refresh',
    operationId: 'refresh',
    summary: 'Exchange a refresh token for new tokens',
    description:
      'A refresh token works once. For some seconds it may come again for the same answer, so that two tabs do not part; used again later it ends its session.',
    tag: 'Sessions',
    access: { kind: 'anyone' },
    body: z.strictObject({ refresh_token: z.string().min(1).max(1000) }),
    responses: { 200: session },
    problems: ['invalid_refresh_token'],
  }),
  logout: defineRoute({
    method: 'delete',
    path: '/api/v1/auth/logout',
    operationId: 'logout',
    summary: 'End the session of the access token',
    tag: 'Sessions',
    access: { kind: 'user' },
    responses: { 204: null },
  }),
  me: defineRoute({
    method: 'get',
    path: '/api/v1/users/me',
    operationId: 'getMe',
    summary: 'The logged-in user',
    tag: 'Users',
    access: { kind: 'user' },
    responses: { 200: user },
    etag: true,
  }),
  listUsers: defineRoute({
    method: 'get',
    path: '/api/v1/users',
    operationId: 'listUsers',
    summary: 'List users',
    tag: 'Users',
    access: { kind: 'user', roles: ['admin', 'manager'] },
    query: z.strictObject({
      ...page,
      role: role.optional(),
      q: searchText.optional().describe('part of a name or an e-mail address'),
    }),
    responses: { 200: listOf(user) },
    problems: ['bad_cursor'],
  }),
  createUser: defineRoute({
    method: 'post',
    path: '/api/v1/users',
    operationId: 'createUser',
    summary: 'Create a user with a role',
    tag: 'Users',
    access: { kind: 'user', roles: ['admin'] },
    body: z.strictObject({ email, password: newPassword, name: personName, role }),
    responses: { 201: user },
    etag: true,
    problems: ['email_taken'],
  }),
  getUser: defineRoute({
    method: 'get',
    path: '/api/v1/users/{id}',
    operationId: 'getUser',
    summary: 'Read a user',
    description: 'Oneself, or any user for admins and managers.',
    tag: 'Users',
    access: { kind: 'user' },
    params: idParams,
    responses: { 200: user },
    etag: true,
    problems: ['not_found', 'gone'],
  }),
  changeUser: defineRoute({
    method: 'patch',
    path: '/api/v1/users/{id}',
    operationId: 'changeUser',
    summary: 'Change a user',
    description: 'Oneself, or any user for admins. Only admins change roles.',
    tag: 'Users',
    access: { kind: 'user' },
    params: idParams,
    body: z
      .strictObject({ name: personName.optional(), email: email.optional(), role: role.optional() })
      .refine((change) => Object.keys(change).length > 0, 'must name at least one field to change'),
    ifMatch: 'required',
    responses: { 200: user },
    etag: true,
    problems: ['not_found', 'gone', 'email_taken', 'last_admin'],
  }),
  deleteUser: defineRoute({
    method: 'delete',
    path: '/api/v1/users/{id}',
    operationId: 'deleteUser',
    summary: 'Delete a user',
    description: 'Oneself, or any user for admins.',
    tag: 'Users',
    access: { kind: 'user' },
    params: idParams,
    ifMatch: 'required',
    responses: { 204: null },
    problems: ['not_found', 'gone', 'last_admin'],
  }),
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
  getInternalUser: defineRoute({
    method: 'get',
    path: '/users/{id}',
    operationId: 'getInternalUser',
    summary: 'A user, for services',
    description: 'A deleted user is answered with 410, one that never was with 404.',
    tag: 'Internal',
    access: { kind: 'service', scope: 'users:read' },
    params: idParams,
    responses: { 200: internalUser },
    etag: true,
    problems: ['not_found', 'gone'],
  }),
  listInternalUsers: defineRoute({
    method: 'get',
    path: '/users',
    operationId: 'listInternalUsers',
    summary: 'All users with those that are deleted, by time of change, for filling and sweeping user directories',
    tag: 'Internal',
    access: { kind: 'service', scope: 'users:read' },
    query: z.strictObject({ ...page, updated_since: instant.optional() }),
    responses: { 200: listOf(internalUser) },
    problems: ['bad_cursor'],
  }),
};

