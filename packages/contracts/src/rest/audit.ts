import { z } from 'zod';
import { instant, uuid } from '../events/events.ts';
import { defineRoute } from './route.ts';
import { listOf, page, queryTime, searchText } from './schemas.ts';

/** The actions recorded in the audit log. The list only grows. */
export const auditActions = [
  'login',
  'logout',
  'reauthenticate',
  'refresh',
  'refresh.reuse',
  'register',
  'invitation.read',
  'invitation.create',
  'invitation.revoke',
  'invitation.use',
  'user.read',
  'user.create',
  'user.change',
  'user.delete',
  'user.restore',
  'user.erase',
  'role.change',
  'email.verify.request',
  'email.verify',
  'email.change.request',
  'email.change.cancel',
  'email.change',
  'email.change.undo',
  'password.change',
  'password.reset.request',
  'password.reset',
  'session.end',
  'sessions.end',
  'consent',
  'consent.revoke',
  'code.exchange',
  'code.reuse',
  'token.request',
  'token.issue',
  'account_link.read',
  'client.add',
  'client.change',
  'client.rotate_secret',
  'client.remove',
  'keys.rotate',
  'audit.read',
] as const;

export const auditAction = z.enum(auditActions);

export const auditEntry = z.object({
  id: uuid,
  at: instant,
  actor: z
    .object({ kind: z.enum(['user', 'client', 'command_line', 'system']), id: z.string().nullable() })
    .nullable()
    .describe('the actor; null for an unauthenticated caller'),
  action: z.string().describe(`for example ${auditActions.slice(0, 5).join(', ')}`),
  subject: z
    .object({ kind: z.enum(['user', 'client', 'key', 'invitation']), id: z.string() })
    .nullable()
    .describe('whom or what it was done to; null where that is unknown'),
  outcome: z.enum(['success', 'failure']),
  client_id: z
    .string()
    .nullable()
    .describe('the application that was used, `first-party` for our own; null for the command line and the service itself, and when unproven'),
  reason: z
    .string()
    .nullable()
    .describe('of a failure: a code; of a change: what became different; of a consent or token: the scopes; of a reading: the filter'),
  count: z.int().describe('how often; above 1 for refusals that came so thick that they were only counted'),
  ip: z.string().nullable().describe('as the gateway saw it; null for the command line, and once it was forgotten'),
  user_agent: z.string().nullable().describe('as the caller says; null for the command line, and once it was forgotten'),
  request_id: z.string().nullable().describe('ours: callers cannot choose it, and it finds the request in the logs'),
  client_request_id: z.string().nullable().describe('the X-Request-Id that the caller sent, as it claims'),
});

/** An IP address, or a network in the form address/bits. */
const networks = [z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()];
const network = z
  .string()
  .refine((text) => networks.some((form) => form.safeParse(text).success), 'must be an IP address, or a network such as 192.0.2.0/24');

/** Operations on Auth's audit log. */
export const auditRoutes = {
  listAudit: defineRoute({
    method: 'get',
    path: '/api/v1/admin/audit',
    operationId: 'listAudit',
    summary: 'Search the audit log, latest first',
    description: 'Admins. An entry is never changed; address and user agent are forgotten after a time, and the entry after a longer one. Each search is an entry too.',
    tag: 'Audit',
    access: { kind: 'user', scopes: ['admin'], roles: ['admin'] },
    query: z.strictObject({
      ...page,
      actor: searchText.optional().describe('the id of a user or client'),
      subject: searchText.optional().describe('the id of a user, client, key or invitation'),
      client: searchText.optional().describe('the id of the application that was used; first-party for our own'),
      action: auditAction.optional(),
      outcome: z.enum(['success', 'failure']).optional(),
      ip: network.optional().describe('an address, or a network such as 192.0.2.0/24'),
      since: queryTime.optional().describe('at this time or later'),
      until: queryTime.optional().describe('before this time'),
    }),
    responses: { 200: listOf(auditEntry) },
    problems: ['bad_cursor'],
  }),
};

export type AuditAction = z.output<typeof auditAction>;
export type AuditEntry = z.output<typeof auditEntry>;
