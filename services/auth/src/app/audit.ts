import type { AuditAction, AuditEntry, Role } from '@taskwire/contracts';
import type { UserChange } from './ports.ts';

/** The origin of a request. All fields are null for the command line and for scheduled work of the service. */
export type Origin = {
  /** The address that the gateway saw. */
  ip: string | null;
  userAgent: string | null;
  /** The id that this product assigned. */
  requestId: string | null;
  /** The id that the caller chose for its request; it proves nothing. */
  clientRequestId: string | null;
  /** The application in use; null also for a client that failed to authenticate. */
  clientId: string | null;
  /** The proof that the device got at a log-in (see `DeviceProofs`), or any other value that it sent instead. */
  deviceProof: string | null;
};

/** The origin of actions that don't arrive over the network. */
export const noOrigin: Origin = {
  ip: null,
  userAgent: null,
  requestId: null,
  clientRequestId: null,
  clientId: null,
  deviceProof: null,
};

export type AuditActor =
  { kind: 'user'; id: string } | { kind: 'client'; id: string } | { kind: 'command_line' } | { kind: 'system' };

/** The actor of an action, and its origin. A null actor is a caller who hasn't authenticated. */
export type Occasion = { actor: AuditActor | null; origin: Origin };

/** Anyone who may run commands on the machine. */
export const byCommandLine: Occasion = { actor: { kind: 'command_line' }, origin: noOrigin };

/** The service itself, on its schedule. */
export const bySystem: Occasion = { actor: { kind: 'system' }, origin: noOrigin };

export type AuditSubject = { kind: 'user' | 'client' | 'key' | 'invitation'; id: string };

/** A new entry of the audit log. It contains no passwords, tokens or account addresses; users are identified by their ids. */
export type NewAuditEntry = Occasion & {
  action: AuditAction;
  subject: AuditSubject | null;
  outcome: AuditEntry['outcome'];
  /** A failure's code, the fields that a change affected, the scopes of a consent or token, or the filter of a reading. */
  reason?: string | undefined;
};

/** The audit log, for entries that aren't part of a change; the entry of a change is written in the change's transaction. */
export type Audit = {
  record(entry: NewAuditEntry): Promise<void>;
  /**
   * Records a frequent, repetitive action unless the log has an entry with the same actor, action, reason and client from the last hour or since the
   * start of the day (UTC). Of any number of concurrent calls, one writes the entry.
   */
  recordOnce(entry: NewAuditEntry, since: 'an hour ago' | 'today'): Promise<void>;
  /**
   * Records a refusal. When refusals are frequent, only some get an entry each. The others are counted, and the counts become entries a little later,
   * so that an attacker can't fill the log.
   */
  recordRefusal(refusal: Omit<NewAuditEntry, 'outcome'>): Promise<void>;
};

/** The audit log for reading, latest entries first. */
export type AuditLog = { list(filter: AuditFilter): Promise<AuditEntry[]> };

export type AuditFilter = {
  actor?: string | undefined;
  subject?: string | undefined;
  action?: AuditAction | undefined;
  client?: string | undefined;
  outcome?: AuditEntry['outcome'] | undefined;
  /** An address, or a network as address/bits. */
  ip?: string | undefined;
  since?: string | undefined;
  until?: string | undefined;
  /** The last entry of the previous page. */
  after: { at: string; id: string } | undefined;
  limit: number;
};

/** The event that ended access, unless another entry records it. */
const endings: Partial<Record<NonNullable<UserChange['endsSessions']>, AuditAction>> = {
  password_changed: 'password.change',
  password_reset: 'password.reset',
  logged_out_everywhere: 'sessions.end',
  email_undone: 'email.change.undo',
};

/** The audit action of a user's change. It omits the new values: names and addresses don't belong in the log. */
export function auditedAs(
  before: { role: Role; email: string },
  { deleted, restored, role, name, email, pendingEmail, emailVerified, endsSessions }: UserChange,
): { action: AuditAction; reason?: string }[] {
  if (deleted === true) return [{ action: 'user.delete' }];
  if (restored === true) return [{ action: 'user.restore' }];
  const ending = endsSessions && endings[endsSessions];
  const isMove = email !== undefined && email.toLowerCase() !== before.email.toLowerCase();
  const changed = { name, email: isMove ? undefined : email };
  const fields = Object.entries(changed).flatMap(([field, value]) => (value === undefined ? [] : [field]));
  return [
    ...(role === undefined ? [] : [{ action: 'role.change' as const, reason: `${before.role} to ${role}` }]),
    ...(ending === undefined ? [] : [{ action: ending }]),
    ...(pendingEmail === undefined ? [] : [{ action: pendingAction(pendingEmail) }]),
    ...(isMove && endsSessions === undefined ? [{ action: 'email.change' as const }] : []),
    ...(emailVerified === undefined ? [] : [{ action: 'email.verify' as const }]),
    ...(fields.length === 0 ? [] : [{ action: 'user.change' as const, reason: fields.join(', ') }]),
  ];
}

function pendingAction(pendingEmail: string | null): AuditAction {
  return pendingEmail === null ? 'email.change.cancel' : 'email.change.request';
}
