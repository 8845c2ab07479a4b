import { z } from 'zod';
import { instant } from '../events/events.ts';
import { defineRoute } from './route.ts';
import { idParams, internalUser, listOf, page } from './schemas.ts';

/** A link for an e-mail. It contains a secret, so it is requested only when the e-mail is sent, and never stored. */
const accountLink = z.object({
  email: z.string().describe('the only address to which the link may be sent'),
  link: z.url(),
  expires_at: instant,
  requested: z
    .object({
      at: instant,
      by: z.string().describe('registration, admin, account_holder, or anyone (the request required no log-in)'),
      network: z.string().nullable().describe('the origin of the request: an IPv4 /24 or IPv6 /48'),
      browser: z.string().nullable().describe('for example Firefox on Windows; never text from the caller'),
    })
    .optional()
    .describe('the request that caused the e-mail'),
  deleted_unless_verified_by: instant.optional().describe('the time at which the account is deleted unless its address is verified'),
});

/** The operations with which services query Auth about users. */
export const internalUserRoutes = {
  getInternalUser: defineRoute({
    method: 'get',
    path: '/users/{id}',
    operationId: 'getInternalUser',
    summary: 'Read a user, for services',
    description: 'Returns 410 for a deleted user, and 404 for one that never existed.',
    tag: 'Internal',
    access: { kind: 'service', scope: 'users:read' },
    params: idParams,
    responses: { 200: internalUser },
    etag: true,
    problems: ['not_found', 'gone'],
  }),
  getAccountLink: defineRoute({
    method: 'get',
    path: '/account_links/{id}',
    operationId: 'getAccountLink',
    summary: 'Create the link of an e-mail that is about to be sent',
    description:
      'A link belongs to one delivery, named by the Idempotency-Key: the same key always returns the same link. A second key revokes the link. For any other caller, and for a link that is no longer valid, the response is 410 with the reason.',
    tag: 'Internal',
    access: { kind: 'service', scope: 'account_links:read' },
    params: idParams,
    idempotent: true,
    responses: { 200: accountLink },
    problems: ['not_found', 'gone'],
  }),
  listInternalUsers: defineRoute({
    method: 'get',
    path: '/users',
    operationId: 'listInternalUsers',
    summary: 'List all users including deleted ones, sorted by time of change, to fill and reconcile user directories',
    tag: 'Internal',
    access: { kind: 'service', scope: 'users:read' },
    query: z.strictObject({ ...page, updated_since: instant.optional() }),
    responses: { 200: listOf(internalUser) },
    problems: ['bad_cursor'],
  }),
};
