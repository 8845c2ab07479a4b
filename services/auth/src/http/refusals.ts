import { uuid, type AuditAction, type authRoutes } from '@taskwire/contracts';
import type { Refusal } from '@taskwire/http-server';
import type { Audit } from '../app/ports/audit.ts';
import type { AuditActor, AuditSubject } from '../domain/audit-context.ts';
import { originOf } from '../app/origin.ts';

type Attempt = { action: AuditAction; on: 'user' | 'invitation' | 'oneself' };

/**
 * The audit log's names for operations that were refused: administration, and actions that applications may not take for a user. Operations are
 * omitted if their refusal is no sign of an attack (a client without `account:read` calling `GET /users/me`).
 */
const attempts: Partial<Record<string, Attempt>> = {
  listUsers: { action: 'user.read', on: 'user' },
  getUser: { action: 'user.read', on: 'user' },
  createUser: { action: 'user.create', on: 'user' },
  changeUser: { action: 'user.change', on: 'user' },
  deleteUser: { action: 'user.delete', on: 'user' },
  restoreUser: { action: 'user.restore', on: 'user' },
  listInvitations: { action: 'invitation.read', on: 'invitation' },
  createInvitation: { action: 'invitation.create', on: 'invitation' },
  revokeInvitation: { action: 'invitation.revoke', on: 'invitation' },
  listAudit: { action: 'audit.read', on: 'oneself' },
  changePassword: { action: 'password.change', on: 'oneself' },
  reauthenticate: { action: 'reauthenticate', on: 'oneself' },
  logoutEverywhere: { action: 'sessions.end', on: 'oneself' },
  endSession: { action: 'session.end', on: 'oneself' },
  endConsent: { action: 'consent.revoke', on: 'oneself' },
} satisfies Partial<Record<(typeof authRoutes)[keyof typeof authRoutes]['operationId'], Attempt>>;

/** The problem codes of forbidden operations; other 403 responses are recorded by their use cases. */
const codes: readonly string[] = ['forbidden', 'insufficient_scope', 'email_not_verified', 'reauthentication_required'];

/** Records refused administration in the audit log, as a failure of the attempted action; like all refusals, frequent ones are only counted. */
export function auditRefusals(audit: Pick<Audit, 'recordRefusal'>) {
  return async ({ route, actor, params, code, ...request }: Refusal): Promise<void> => {
    const attempt = attempts[route.operationId];
    if (attempt === undefined || !codes.includes(code)) return;
    const attemptedBy = toActor(actor);
    await audit.recordRefusal({
      actor: attemptedBy,
      action: attempt.action,
      subject: subjectOf(params['id'], attempt.on, attemptedBy),
      origin: originOf({ ...request, actor }),
      reason: code,
    });
  };
}

type Holder = Extract<AuditActor, { kind: 'user' | 'client' }>;

function toActor(actor: Refusal['actor']): Holder {
  return actor.kind === 'user' ? { kind: 'user', id: actor.id } : { kind: 'client', id: actor.clientId };
}

/** The caller chooses the path and must not be able to write text into the log: only an id is accepted. */
function subjectOf(id: string | string[] | undefined, on: Attempt['on'], actor: Holder): AuditSubject | null {
  if (on === 'oneself') return actor.kind === 'user' ? actor : null;
  const parsed = uuid.safeParse(id);
  return parsed.success ? { kind: on, id: parsed.data } : null;
}
