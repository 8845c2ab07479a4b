import { z } from 'zod';
import { instant, uuid } from '../events/events.ts';
import { defineRoute } from './route.ts';
import { email, idParams, listOf, page, personName } from './schemas.ts';

const invitationStates = ['open', 'used', 'revoked', 'expired'] as const;

/** An invitation as shown to admins and managers. Its link is sent only to the invited person. */
export const invitation = z.object({
  id: uuid,
  email: z.string(),
  name: z.string().nullable().describe('the name that the page of the link suggests'),
  state: z.enum(invitationStates),
  invited_by: uuid.describe('the user who sent the invitation'),
  user_id: uuid.nullable().describe('the account created with the invitation'),
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
      'For admins and managers. The link is sent only to the address. The account created with it is a member with a verified address. An address has at most one open invitation.',
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
    description: 'An invitation is erased 30 days after it ended.',
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
    description: 'The link stops working at once.',
    tag: 'Invitations',
    access: { kind: 'user', scopes: ['admin'], roles: ['admin', 'manager'], objects: ['admin', 'inviter'] },
    params: idParams,
    responses: { 204: null },
    problems: ['not_found', 'gone'],
  }),
};
