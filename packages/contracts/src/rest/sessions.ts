import { z } from 'zod';
import { instant, uuid } from '../events/events.ts';
import { defineRoute } from './route.ts';
import { idParams, listOf, page } from './schemas.ts';

/** A log-in whose access is still valid. */
export const openSession = z.object({
  id: uuid,
  kind: z.enum(['api', 'browser']).describe('api: a log-in through this API; browser: a log-in on the OpenID pages, which applications use'),
  created_at: instant.describe('when the user logged in'),
  last_used_at: instant.describe('when the session last issued tokens'),
  expires_at: instant.describe('when the session ends unless it is used again'),
  ip: z.string().nullable().describe('the address from which the user logged in; null if unknown, and for tokens of third-party applications'),
  user_agent: z
    .string()
    .nullable()
    .describe('the program with which the user logged in, such as `Firefox on Linux`; null under the same conditions as ip'),
  current: z.boolean().describe('whether the access token belongs to this session'),
});

/** The access that a user granted to an application. */
export const consent = z.object({
  id: uuid,
  client: z.object({ id: z.string(), name: z.string() }),
  scopes: z
    .array(z.object({ audience: z.string().nullable(), scopes: z.array(z.string()) }))
    .describe('the scopes for each service; with a null audience, the claims about the user that the application may read (OpenID Connect)'),
  created_at: instant,
  last_used_at: instant.describe('when the application last obtained tokens with the consent'),
  expires_at: instant,
  current: z.boolean().describe('whether the access token belongs to this consent'),
});

const tag = 'Sessions';
const read = { kind: 'user', scopes: ['account:read'], unverified: true } as const;
const end = { kind: 'user', scopes: ['account:write'], firstParty: true, unverified: true, objects: ['owner'] } as const;

/** Operations on a user's own sessions and consents. */
export const sessionRoutes = {
  listSessions: defineRoute({
    method: 'get',
    path: '/api/v1/auth/sessions',
    operationId: 'listSessions',
    summary: "List the caller's sessions, latest log-in first",
    tag,
    access: read,
    query: z.strictObject(page),
    responses: { 200: listOf(openSession) },
    problems: ['bad_cursor'],
  }),
  endSession: defineRoute({
    method: 'delete',
    path: '/api/v1/auth/sessions/{id}',
    operationId: 'endSession',
    summary: "End one of the caller's sessions",
    description:
      'Its refresh tokens stop working at once, and Auth rejects its access tokens at once. Tasks and Notifications accept those until they expire, for at most ten minutes.',
    tag,
    access: end,
    params: idParams,
    responses: { 204: null },
    problems: ['not_found'],
  }),
  listConsents: defineRoute({
    method: 'get',
    path: '/api/v1/auth/consents',
    operationId: 'listConsents',
    summary: "List the caller's consents to applications, latest first",
    tag,
    access: read,
    query: z.strictObject(page),
    responses: { 200: listOf(consent) },
    problems: ['bad_cursor'],
  }),
  endConsent: defineRoute({
    method: 'delete',
    path: '/api/v1/auth/consents/{id}',
    operationId: 'endConsent',
    summary: "Revoke one of the caller's consents",
    description:
      'Its codes and tokens stop working in the same way as those of a session. An application can revoke its own consent with POST /oidc/revoke.',
    tag,
    access: end,
    params: idParams,
    responses: { 204: null },
    problems: ['not_found'],
  }),
};

export type OpenSession = z.output<typeof openSession>;
export type Consent = z.output<typeof consent>;
