import { z } from 'zod';
import { instant, uuid } from '../events/events.ts';
import { defineRoute } from './route.ts';
import { idParams, listOf, page } from './schemas.ts';

/** A log-in whose access is still valid. */
export const openSession = z.object({
  id: uuid,
  kind: z.enum(['api', 'browser']).describe('api: a log-in at this API; browser: a log-in at the OpenID pages, which applications use'),
  created_at: instant.describe('when the user logged in'),
  last_used_at: instant.describe('when it last gave out tokens'),
  expires_at: instant.describe('when it ends if it is not used again'),
  ip: z.string().nullable().describe('where the user logged in from; null when unknown, and for tokens of third-party applications'),
  user_agent: z
    .string()
    .nullable()
    .describe('the program that the user logged in with, such as `Firefox on Linux`; null like ip'),
  current: z.boolean().describe('whether it is the session of the access token'),
});

/** The access that a user granted to an application. */
export const consent = z.object({
  id: uuid,
  client: z.object({ id: z.string(), name: z.string() }),
  scopes: z
    .array(z.object({ audience: z.string().nullable(), scopes: z.array(z.string()) }))
    .describe('per service; audience null: what the application may know about the user (OpenID Connect)'),
  created_at: instant,
  last_used_at: instant.describe('when the application last got tokens with it'),
  expires_at: instant,
  current: z.boolean().describe('whether the access token comes from it'),
});

const tag = 'Sessions';
const read = { kind: 'user', scopes: ['account:read'], unverified: true } as const;
const end = { kind: 'user', scopes: ['account:write'], firstParty: true, unverified: true } as const;

/** Operations on a user's own sessions and consents. */
export const sessionRoutes = {
  listSessions: defineRoute({
    method: 'get',
    path: '/api/v1/auth/sessions',
    operationId: 'listSessions',
    summary: "The caller's sessions, latest log-in first",
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
      'Its refresh tokens end at once, and so do its access tokens at Auth; Tasks and Notifications take those until they expire, ten minutes at most.',
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
    summary: 'What the caller allowed applications, latest first',
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
    summary: 'Take back what the caller allowed an application',
    description:
      'All codes and tokens that came from it end as those of a session do. An application ends its own consent with POST /oidc/revoke.',
    tag,
    access: end,
    params: idParams,
    responses: { 204: null },
    problems: ['not_found'],
  }),
};

export type OpenSession = z.output<typeof openSession>;
export type Consent = z.output<typeof consent>;
