import { uuid, type AuditAction, type authRoutes } from '@taskwire/contracts';
import type { Refusal } from '@taskwire/http-server';
import type { Audit } from '../app/audit.ts';
import { originOf } from '../app/origin.ts';

/**
 * What the audit log calls an operation that somebody was refused: administration, and what applications may not do for a user. An operation
 * is not here when refusing it says nothing of an attack (a client that lacks `account:read`).
 */
const actions: Partial<Record<string, AuditAction>> = {
  listUsers: 'user.read',
  getUser: 'user.read',
  createUser: 'user.create',
  changeUser: 'user.change',
  deleteUser: 'user.delete',
  restoreUser: 'user.restore',
  listAudit: 'audit.read',
  changePassword: 'password.change',
  reauthenticate: 'reauthenticate',
  logoutEverywhere: 'sessions.end',
  endSession: 'session.end',
  endConsent: 'consent.revoke',
} satisfies Partial<Record<(typeof authRoutes)[keyof typeof authRoutes]['operationId'], AuditAction>>;

/** Puts refused administration into the audit log, as a failure of what was tried; what comes thick is counted, as other refusals are. */
export function auditRefusals(audit: Pick<Audit, 'recordRefusal'>) {
  return async ({ route, actor, params, code, ...request }: Refusal): Promise<void> => {
    const action = actions[route.operationId];
    if (action === undefined) return;
    const by =
      actor.kind === 'user'
        ? ({ kind: 'user', id: actor.id } as const)
        : ({ kind: 'client', id: actor.clientId } as const);
    await audit.recordRefusal({
      actor: by,
      action,
      subject: subjectOf(params['id'], action, by),
      origin: originOf({ ...request, actor }),
      reason: code,
    });
  };
}

/** A caller chooses the path, and the log is not theirs to write in: only the id of a user is taken over. */
function subjectOf(
  id: string | string[] | undefined,
  action: AuditAction,
  by: { kind: 'user' | 'client'; id: string },
) {
  if (!action.startsWith('user.')) return by.kind === 'user' ? by : null;
  const parsed = uuid.safeParse(id);
  return parsed.success ? ({ kind: 'user', id: parsed.data } as const) : null;
}
