import { z } from 'zod';
import { instant } from '../events/events.ts';
import { defineRoute } from './route.ts';
import { idParams, internalUser, listOf, page } from './schemas.ts';

/** A link for a mail. It contains the mail's secret, so it is requested when the mail is sent, and stored nowhere. */
const accountLink = z.object({
  email: z.string().describe('the address that it is for, and that alone'),
  link: z.url(),
  expires_at: instant,
  requested: z
    .object({
      at: instant,
      by: z.string().describe('registration, admin, account_holder, or anyone (requesting it required no log-in)'),
      network: z.string().nullable().describe('where the request came from: an IPv4 /24 or IPv6 /48'),
      browser: z.string().nullable().describe('for example Firefox on Windows; never text of the caller'),
    })
    .optional()
    .describe('who caused the mail, and when'),
  deleted_unless_verified_by: instant.optional().describe('when the account is deleted unless its address is verified'),
});

/** The operations with which services query Auth about users. */
export const internalUserRoutes = {
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
  getAccountLink: defineRoute({
    method: 'get',
    path: '/account_links/{id}',
    operationId: 'getAccountLink',
    summary: 'The link of a mail that is about to be sent',
    description:
      'For one delivery, named by the Idempotency-Key: with the same key the answer is the same each time. For any other reader, and for a link that does not work any more, the answer is 410 with the reason. A second key ends the link.',
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
    summary: 'All users with those that are deleted, by time of change, for filling and reconciling user directories',
    tag: 'Internal',
    access: { kind: 'service', scope: 'users:read' },
    query: z.strictObject({ ...page, updated_since: instant.optional() }),
    responses: { 200: listOf(internalUser) },
    problems: ['bad_cursor'],
  }),
};
