import type { AuditAction, AuditEntry, Role } from '@taskwire/contracts';
import type { UserChange } from './ports.ts';

/** Where a request comes from. All null for the command line, and for what the service does by itself. */
export type Origin = {
  /** As the gateway saw it. */
  ip: string | null;
  userAgent: string | null;
  /** Ours. */
  requestId: string | null;
  /** What the caller calls its request; it proves nothing. */
  clientRequestId: string | null;
  /** The application that is used; null also for a client that could not prove who it is. */
  clientId: string | null;
  /** What the device got when somebody logged in with it, as `DeviceProofs` makes it; or whatever it says instead. */
  deviceProof: string | null;
};

/** Of what does not come over the network. */
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

/** Who does something, and from where. Null is somebody who has not proven who they are. */
export type Occasion = { actor: AuditActor | null; origin: Origin };

/** Whoever may run commands on the machine. */
export const byCommandLine: Occasion = { actor: { kind: 'command_line' }, origin: noOrigin };

/** The service, by its schedule. */
export const bySystem: Occasion = { actor: { kind: 'system' }, origin: noOrigin };

export type AuditSubject = { kind: 'user' | 'client' | 'key' | 'invitation'; id: string };

/** What the audit log is to say. It has neither passwords, tokens nor addresses of accounts: ids tell who. */
export type NewAuditEntry = Occasion & {
  action: AuditAction;
  subject: AuditSubject | null;
  outcome: AuditEntry['outcome'];
  /** Of a failure its code, of a change what became different, of a consent or token its scopes, of a reading its filter. */
  reason?: string | undefined;
};

/** The audit log, for what is not part of a change; the entry of a change is written in its transaction. */
export type Audit = {
  record(entry: NewAuditEntry): Promise<void>;
  /**
   * Records what happens often and says the same each time: unless there is an entry with the same actor, action, reason and client since an
   * hour ago, or since the beginning of the day (UTC). Of any number at once, one is written.
   */
  recordOnce(entry: NewAuditEntry, since: 'an hour ago' | 'today'): Promise<void>;
  /**
   * Records what was refused. Of refusals that come thick, only some get an entry each: the others are counted, and the counts become
   * entries a little later, so that nobody can fill the log.
   */
  recordRefusal(refusal: Omit<NewAuditEntry, 'outcome'>): Promise<void>;
};

/** Where the audit log is read, latest first. */
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
  /** The entry that the page before ended with. */
  after: { at: string; id: string } | undefined;
  limit: number;
};

/** What ended access, where it is not said by another entry. */
const endings: Partial<Record<NonNullable<UserChange['endsSessions']>, AuditAction>> = {
  password_changed: 'password.change',
  password_reset: 'password.reset',
  logged_out_everywhere: 'sessions.end',
  email_undone: 'email.change.undo',
};

/** What a change of a user is called, without what it changed them to: names and addresses have no place in the log. */
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
