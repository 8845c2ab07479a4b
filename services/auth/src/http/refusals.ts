import { uuid, type AuditAction, type authRoutes } from '@taskwire/contracts';
import type { Refusal } from '@taskwire/http-server';
import type { Audit, AuditActor, AuditSubject } from '../app/audit.ts';
import { originOf } from '../app/origin.ts';

type Attempt = { action: AuditAction; on: 'user' | 'invitation' | 'oneself' };

/**
 * What the audit log calls an operation that somebody was refused: administration, and what applications may not do for a user. An operation
 * is not here when refusing it says nothing of an attack (a client that lacks `account:read` for `GET /users/me`).
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
  reauthenticate: { action: 'reauthenticate', on: 'oneself' },
  changePassword: { action: 'password.change', on: 'oneself' },
  logoutEverywhere: { action: 'sessions.end', on: 'oneself' },
  endSession: { action: 'session.end', on: 'oneself' },
  endConsent: { action: 'consent.revoke', on: 'oneself' },
} satisfies Partial<Record<(typeof authRoutes)[keyof typeof authRoutes]['operationId'], Attempt>>;

/** Problems that say that a caller may not do something; what else is answered with 403, such as step-up, is recorded by its use case. */
const codes: readonly string[] = ['forbidden', 'insufficient_scope', 'email_not_verified'];

/** Puts refused administration into the audit log, as a failure of what was tried; what comes thick is counted, as other refusals are. */
export function auditRefusals(audit: Pick<Audit, 'recordRefusal'>) {
  return async ({ route, actor, params, code, ...request }: Refusal): Promise<void> => {
    const attempt = attempts[route.operationId];
    if (attempt === undefined || !codes.includes(code)) return;
    const by = toActor(actor);
    await audit.recordRefusal({
      actor: by,
      action: attempt.action,
      subject: subjectOf(params['id'], attempt.on, by),
      origin: originOf({ ...request, actor }),
      reason: code,
    });
  };
}

type By = Extract<AuditActor, { kind: 'user' | 'client' }>;

function toActor(actor: Refusal['actor']): By {
  return actor.kind === 'user' ? { kind: 'user', id: actor.id } : { kind: 'client', id: actor.clientId };
}

/** A caller chooses the path, and the log is not theirs to write in: only an id is taken over. */
function subjectOf(id: string | string[] | undefined, on: Attempt['on'], by: By): AuditSubject | null {
  if (on === 'oneself') return by.kind === 'user' ? by : null;
  const parsed = uuid.safeParse(id);
  return parsed.success ? { kind: on, id: parsed.data } : null;
}
