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
  scope: z.string(),
});

/** RFC 6749 section 5.2, which is not a problem document. */
const tokenError = z.object({
  error: z.enum(['invalid_request', 'invalid_client', 'unsupported_grant_type', 'invalid_scope', 'invalid_target']),
  error_description: z.string(),
});

/** A form field; one that is sent twice is read as a list, and refused with the error that RFC 6749 has for it. */
const formField = z.union([z.string(), z.array(z.string())]).optional();

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
    description: 'A refresh token works once. One that is used again ends its session.',
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
  token: defineRoute({
    method: 'post',
    path: '/oidc/token',
    operationId: 'issueToken',
    summary: 'OAuth 2.0 token endpoint: client_credentials',
    description:
      'Client authentication by HTTP Basic, or by client_id and client_secret in the body. `resource` names the one audience (RFC 8707). Errors follow RFC 6749 section 5.2.',
    tag: 'OAuth',
    access: { kind: 'anyone' },
    bodyType: 'application/x-www-form-urlencoded',
    body: z.object({
      grant_type: formField.describe('client_credentials'),
      scope: formField,
      resource: formField,
      client_id: formField,
      client_secret: formField,
    }),
    responses: { 200: tokenResponse, 400: tokenError, 401: tokenError },
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

