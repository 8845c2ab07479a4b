import { z } from 'zod';
import { instant, uuid } from '../events/events.ts';
import { defineRoute } from './route.ts';
import { email, idParams, listOf, page, personName } from './schemas.ts';

const invitationStates = ['open', 'used', 'revoked', 'expired'] as const;

/** An invitation as seen by the people who invite. Its link goes only to the invited person. */
const invitation = z.object({
  id: uuid,
  email: z.string(),
  name: z.string().nullable().describe('what the page of the link suggests as the name'),
  state: z.enum(invitationStates),
  invited_by: uuid.describe('the user who invited'),
  user_id: uuid.nullable().describe('the account that was made with it'),
  created_at: instant,
  expires_at: instant,
});

/** Operations on invitations to register. */
export const invitationRoutes = {
  createInvitation: defineRoute({
    method: 'post',
    path: '/api/v1/invitations',
    operationId: 'createInvitation',
    summary: 'Invite a person to register',
    description:
      'Admins and managers. A link is mailed to the address only; the account created with it is a member with a verified address. An address has one open invitation at most.',
    tag: 'Invitations',
    access: { kind: 'user', scopes: ['admin'], roles: ['admin', 'manager'] },
    body: z.strictObject({ email, name: personName.optional() }),
    responses: { 201: invitation },
    location: '/api/v1/invitations/{id}',
    problems: ['registration_closed', 'email_taken', 'already_invited', 'rate_limited'],
  }),
  listInvitations: defineRoute({
    method: 'get',
    path: '/api/v1/invitations',
    operationId: 'listInvitations',
    summary: 'List invitations, latest first',
    description: 'Admins and managers. An invitation is forgotten 30 days after it ended.',
    tag: 'Invitations',
    access: { kind: 'user', scopes: ['admin'], roles: ['admin', 'manager'] },
    query: z.strictObject({ ...page, state: z.enum(invitationStates).optional() }),
    responses: { 200: listOf(invitation) },
    problems: ['bad_cursor'],
  }),
  revokeInvitation: defineRoute({
    method: 'delete',
    path: '/api/v1/invitations/{id}',
    operationId: 'revokeInvitation',
    summary: 'Revoke an open invitation',
    description: 'Admins; managers those that they made. The link stops working at once.',
    tag: 'Invitations',
    access: { kind: 'user', scopes: ['admin'], roles: ['admin', 'manager'] },
    params: idParams,
    responses: { 204: null },
    problems: ['not_found', 'gone'],
  }),
};
