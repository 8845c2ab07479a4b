import type { AuditAction, AuditEntry } from '@taskwire/contracts';
import type { Page, Place } from '@taskwire/postgres';
import type { AuditSubject, AuditContext } from '../../domain/audit-context.ts';

/** A new entry of the audit log. It contains no passwords, tokens or account addresses; users are identified by their ids. */
export type NewAuditEntry = AuditContext & {
  action: AuditAction;
  subject: AuditSubject | null;
  outcome: AuditEntry['outcome'];
  /** A failure's code, the fields that a change affected, the scopes of a consent or token, or the filter of a search of the log. */
  reason?: string | undefined;
};

/** The audit log, for entries that aren't part of a change; the entry of a change is written in the change's transaction. */
export type Audit = {
  record(entry: NewAuditEntry): Promise<void>;
  /**
   * Records a frequent, repetitive action unless the log has an entry with the same actor, action, reason and client from the last hour or since the
   * start of the day (UTC). Of any number of concurrent calls, only one writes the entry.
   */
  recordOnce(entry: NewAuditEntry, since: 'an hour ago' | 'today'): Promise<void>;
  /**
   * Records a refusal. When refusals are frequent, only some get their own entry. The others are counted, and the counts are written as entries a
   * little later, so that an attacker can't fill the log.
   */
  recordRefusal(refusal: Omit<NewAuditEntry, 'outcome'>): Promise<void>;
};

/** Read access to the audit log, latest entries first. */
export type AuditLog = { list(filter: AuditFilter, place: Place): Promise<Page<AuditEntry>> };

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
};
